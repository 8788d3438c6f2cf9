package enginetest

// dockerStories are done one after the other. The image is a busybox whose `sleep` ignores SIGTERM, so
// that `stop -t 0` ends in SIGKILL at once.
var dockerStories = []story{
	{
		name: "life", engine: "docker",
		do: []string{
			"docker create --name life -p 8088:80 busybox sleep 1000",
			"docker start life",
			"docker stop -t 0 life",
			"docker start life",
			"docker restart -t 0 life",
			"docker pause life",
			"docker unpause life",
			"docker exec life true",
			"docker rename life life2",
			"docker update --memory 128m --memory-swap 128m life2",
			"docker kill -s USR1 life2",
			"docker kill life2",
			"docker start life2",
			"docker rm -f life2",
		},
		states: "create connect start die disconnect stop connect start die disconnect stop connect start restart " +
			"pause unpause die disconnect connect start die disconnect destroy",
		lines: []string{
			"Create container {}", "Start container {}", "Stop container {}", "Start container {}", "Restart container {}",
			"Pause container {}", "Unpause container {}", "Rename container {life2} from life", "Update container {life2}",
			"Kill container {life2} (signal=9)", "Start container {life2}", "Destroy container {life2}",
		},
	},
	{
		name: "crash", engine: "docker",
		do:     []string{"!docker run --name crash busybox sh -c 'exit 3'", "sleep 3", "docker rm crash"},
		states: "create connect start die disconnect destroy",
		lines:  []string{"Create container {}", "Start container {}", "WARN Container died {} (exit=3)", "Destroy container {}"},
	},
	{
		name: "done", engine: "docker",
		do:     []string{"docker run --name done busybox true", "sleep 3", "docker rm done"},
		states: "create connect start die disconnect destroy",
		lines:  []string{"Create container {}", "Start container {}", "Container exited {} (exit=0)", "Destroy container {}"},
	},
	{
		// The policy starts it three times more; a loop is one ERROR, not one for each round.
		name: "loop", engine: "docker",
		do: []string{
			"docker run -d --name loop --restart on-failure:3 busybox sh -c 'exit 5'",
			`until [ "$(docker inspect -f '{{.State.Status}} {{.RestartCount}}' loop)" = "exited 3" ]; do sleep 0.1; done`,
			"docker rm loop",
		},
		states: "create connect start die disconnect connect start die disconnect connect start die disconnect connect start die disconnect destroy",
		lines: []string{
			"Create container {}", "Start container {}", "WARN Container died {} (exit=5)", "Start container {}",
			"WARN Container died {} (exit=5)", "Start container {}", "WARN Container died {} (exit=5)", "Start container {}",
			"ERROR Container keeps restarting {} (exit=5, restarts=3)", "WARN Container died {} (exit=5)", "Destroy container {}",
		},
	},
	{
		name: "oom", engine: "docker",
		do: []string{
			"!docker run --name oom -m 16m --memory-swap 16m busybox sh -c 'x=a; while :; do x=$x$x; done'",
			`[ "$(docker inspect -f '{{.State.OOMKilled}}' oom)" = true ]`,
			"sleep 3",
			"docker rm oom",
		},
		states: "create connect start die disconnect destroy",
		lines: []string{
			"Create container {}", "Start container {}", "ERROR Container out of memory {}", "WARN Container died {} (exit=137)",
			"Destroy container {}",
		},
	},
	{
		name: "health", engine: "docker",
		do: []string{
			"docker run -d --name health --health-cmd 'test -e /ok' --health-interval 300ms --health-retries 2 busybox sleep 1000",
			healthIs("unhealthy"),
			"docker exec health touch /ok",
			healthIs("healthy"),
			"docker rm -f health",
		},
		states: "create connect start die disconnect destroy",
		lines: []string{
			"Create container {}", "Start container {}", "WARN Container health: unhealthy {}", "Container health: healthy {}",
			"Destroy container {}",
		},
	},
	{
		name: "images", engine: "docker",
		do: []string{
			"docker create --name images busybox sleep 1000",
			"docker commit images localhost:5000/team/aaa:v1",
			"docker push localhost:5000/team/aaa:v1",
			"docker tag localhost:5000/team/aaa:v1 aaa:v2",
			"docker rmi localhost:5000/team/aaa:v1",
			"docker rmi aaa:v2",
			"docker pull localhost:5000/team/aaa:v1",
			"docker pull localhost:5000/team/aaa:v1",
			"!docker pull localhost:5000/team/nosuch:v9",
			`docker save localhost:5000/team/aaa:v1 -o "$WORK/aaa.tar"`,
			"docker rmi localhost:5000/team/aaa:v1",
			`docker load -i "$WORK/aaa.tar"`,
			`docker export images -o "$WORK/images.tar"`,
			`docker import "$WORK/images.tar" imported:v1`,
			"docker rmi imported:v1 localhost:5000/team/aaa:v1",
			"!docker rmi busybox:nosuch",
			"docker rm images",
		},
		states: "create destroy",
		lines: []string{
			"Create container {}", "commit container {localhost:5000/team/aaa:v1}",
			"Finished export container {} to (unknown) (return=0)", "Destroy container {}",
		},
	},
	{
		name: "web", engine: "docker",
		do: []string{
			"docker network create --subnet 10.66.67.0/24 appnet",
			"docker volume create data1",
			"docker run -d --name web --network appnet -v data1:/data -p 8081:80 busybox sleep 1000",
			"docker network connect bridge web",
			"docker network disconnect bridge web",
			"docker stop -t 0 web",
			"docker start web",
			"docker rm -f web",
			"docker network rm appnet",
			"docker volume rm data1",
		},
		states: "create connect start connect disconnect die disconnect stop connect start die disconnect destroy",
		lines: []string{
			"Create container {}", "Start container {}", "Connect container {} to network bridge",
			"Disconnect container {} from network bridge", "Stop container {}", "Start container {}", "Destroy container {}",
		},
	},
	{
		name: "nocmd", engine: "docker",
		do:     []string{"docker create --name nocmd busybox /no/such/command", "!docker start nocmd", "sleep 1", "docker rm nocmd"},
		states: "create connect disconnect destroy",
		lines:  []string{"Create container {}", "ERROR Failed to start container {}: ...", "Destroy container {}"},
	},
	{
		name: "port2", engine: "docker",
		do: []string{
			"docker run -d --name port1 -p 8099:80 busybox sleep 1000",
			"!docker run -d --name port2 -p 8099:80 busybox sleep 1000",
			"sleep 1",
			"docker rm -f port1 port2",
		},
		states: "create disconnect destroy",
		lines:  []string{"Create container {}", "ERROR Failed to start container {}: ...", "Destroy container {}"},
	},
	{
		// The daemon says nothing of the second create: it must not be invented either.
		name: "dup", engine: "docker",
		do: []string{
			"docker create --name dup busybox", "!docker create --name dup busybox", "!docker stop nosuchcontainer",
			"!docker run -d --name badbind --mount type=bind,src=/nope,dst=/y busybox true", "docker rm dup",
		},
		states: "create destroy",
		lines:  []string{"Create container {}", "Destroy container {}"},
	},
}

func healthIs(status string) string {
	return `until [ "$(docker inspect -f '{{.State.Health.Status}}' health)" = ` + status + ` ]; do sleep 0.1; done`
}

// dockerOnce are lines that must stand exactly once in /log, apart from a container's story.
var dockerOnce = []string{
	"Image pushed (docker, localhost:5000/team/aaa:v1)",
	"Image tagged (docker, aaa:v2)",
	"Image saved (docker, localhost:5000/team/aaa:v1)",
	"Image loaded (docker, localhost:5000/team/aaa:v1)",
	"Image removed (docker, aaa:v2)",
	"Image removed (docker, imported:v1)",
	"Finished import container (docker, imported:v1) from (unknown) (return=0)",
	"Network created (docker, appnet)",
	"Volume created (docker, data1)",
}
