package enginetest

// incusStories are done one after the other, beside the docker stories.
var incusStories = []story{
	{
		name: "ctest", engine: "lxc",
		do: []string{
			"incus -q init busybox ctest",
			"incus start ctest", hasAddress("ctest"),
			"incus stop ctest",
			"incus start ctest", hasAddress("ctest"),
			"incus restart ctest",
			"incus restart -f ctest",
			"incus pause ctest",
			"incus resume ctest",
			"incus config device add ctest web proxy listen=tcp:127.0.0.1:8077 connect=tcp:127.0.0.1:80",
			"incus config device remove ctest web",
			"incus stop -f ctest",
			"incus rename ctest ctest2",
		},
		states: "create start stop start stop restart start stop restart start pause unpause stop",
		lines: []string{
			"Start to do background task (create, ctest)", "Create container {}", "Finished background task (create, ctest)",
			"Start container {}", "Stop container {}", "Start container {}", "Restart container {}", "Restart container {}",
			"Pause container {}", "Unpause container {}", "Update container {}", "Update container {}", "Stop container {}",
			"Rename container {ctest2} from ctest",
		},
	},
	{
		name: "ctest2", engine: "lxc",
		do:     []string{"incus start ctest2", "!incus delete ctest2", "incus delete -f ctest2"},
		states: "start stop destroy",
		lines:  []string{"Rename container {} from ctest", "Start container {}", "Stop container {}", "Destroy container {}"},
	},
	{
		name: "snap", engine: "lxc",
		do: []string{
			"incus -q launch busybox snap",
			"incus snapshot create snap one",
			"incus snapshot restore snap one",
			"incus snapshot delete snap one",
			"incus delete -f snap",
		},
		states: "create start start stop destroy",
		lines: []string{
			"Start to do background task (create, snap)", "Create container {}", "Start container {}",
			"Finished background task (create, snap)", "Snapshot created {snap/one}", "Start container {}",
			"Finished restore container {}", "Snapshot removed {snap/one}", "Stop container {}", "Destroy container {}",
		},
	},
	{
		name: "moved", engine: "lxc",
		do: []string{
			"incus -q init busybox moved",
			`incus export moved "$WORK/moved.tgz"`,
			`!incus import "$WORK/moved.tgz"`,
			"incus delete moved",
			`incus import "$WORK/moved.tgz"`,
			"incus delete moved",
		},
		states: "create destroy create destroy",
	},
	{
		name: "twice", engine: "lxc",
		do:     []string{"incus -q init busybox twice", "!incus -q init busybox twice", "incus delete twice"},
		states: "create destroy",
		lines: []string{
			"Start to do background task (create, twice)", "Create container {}", "Finished background task (create, twice)",
			"Start to do background task (create, twice)", "ERROR Background task error for create twice: ...",
			"ERROR Failed to do background task (create, twice)", "Destroy container {}",
		},
	},
	{
		name: "nodisk", engine: "lxc",
		do: []string{
			`!printf 'devices:\n  disk0:\n    type: disk\n    source: /share/test/selenium\n    path: /x\n' | incus -q init busybox nodisk`,
		},
		lines: []string{
			"Start to do background task (create, nodisk)",
			"ERROR Background task error for create nodisk: Failed creating instance record: ...",
			"ERROR Failed to do background task (create, nodisk)",
		},
	},
	{
		name: "proxy2", engine: "lxc",
		do: []string{
			"incus -q init busybox proxy1", "incus -q init busybox proxy2",
			"incus config device add proxy1 web proxy listen=tcp:127.0.0.1:8078 connect=tcp:127.0.0.1:80",
			"incus config device add proxy2 web proxy listen=tcp:127.0.0.1:8078 connect=tcp:127.0.0.1:80",
			"incus start proxy1", "!incus start proxy2",
			"incus delete -f proxy1 proxy2",
		},
		states: "create stop destroy", // incusd ends what it had begun to start
	},
	{
		name: "byitself", engine: "lxc",
		do: []string{
			"incus -q launch busybox byitself",
			"incus exec byitself -- poweroff -f",
			"until incus delete byitself; do sleep 0.2; done", // refused while it is still stopping
		},
		states: "create start stop destroy",
		lines: []string{
			"Start to do background task (create, byitself)", "Create container {}", "Start container {}",
			"Finished background task (create, byitself)", "WARN Container stopped by itself {}", "Destroy container {}",
		},
	},
	{
		name: "inproject", engine: "lxc",
		do: []string{
			"incus project create proj1 -c features.images=false -c features.profiles=false",
			"incus -q launch busybox inproject --project proj1",
			"incus delete -f inproject --project proj1",
			"incus project delete proj1",
		},
		states: "create start stop destroy",
	},
}

// hasAddress waits until a container's init is far enough to hear the signal that ends it.
func hasAddress(name string) string {
	return `until [ -n "$(incus list -f csv -c 4 ` + name + `)" ]; do sleep 0.1; done`
}

// incusOnce are lines that must stand exactly once in /log, apart from a container's story; ERROR and
// WARN are named as in a story.
var incusOnce = []string{
	"Project created (lxc, proj1)",
	"ERROR Failed to start container (lxc, proxy2): ...",
	"Start to export container (lxc, moved) to ()",
	"Finished export container (lxc, moved) to () (return=0)",
	"Finished import container (lxc, moved) from () (return=0)",
}
