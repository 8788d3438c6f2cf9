package packagetest

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The same sources in another folder, with another umask, another clock zone and another order of files give the same
// bytes, binary included.
func TestPackagesAreReproducible(t *testing.T) {
	first := open(t, "*_amd64.deb")
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	git, err := exec.Command("git", "-C", root, "rev-parse", "--absolute-git-dir").Output()
	if err != nil {
		t.Skipf("the packages are those of a commit, and this is no git checkout: %v", err)
	}
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := t.TempDir()
	src, out := filepath.Join(dir, "a folder"), filepath.Join(dir, "out")
	if err := os.Mkdir(src, 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, root, nil, "sh", "-c", `git ls-files -co --exclude-standard | LC_ALL=C sort -r | tar -c -T - | tar -x --no-same-permissions -C "$1"`, "sh", src)
	run(t, src, []string{"GIT_DIR=" + strings.TrimSpace(string(git)), "GIT_WORK_TREE=" + src, "TZ=Asia/Tokyo"},
		"scripts/package", "--arch", "amd64", "--out", out)
	again, err := os.ReadDir(out)
	if err != nil || len(again) != 6 {
		t.Fatalf("%d files were made, %v; want a package of each format, an image and SHA256SUMS", len(again), err)
	}
	for _, entry := range again {
		if entry.Name() == "SHA256SUMS" {
			continue
		}
		if sum(t, filepath.Join(out, entry.Name())) != sum(t, filepath.Join(os.Getenv("SHIPLOG_PACKAGES"), entry.Name())) {
			t.Errorf("%s has other bytes when it is built again (is %s of this very tree?)", entry.Name(), first.name)
		}
	}
}

func run(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func sum(t *testing.T, name string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}
