package torturetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// plantEnv names the one planted fault that is to happen. Only the copies that this test builds know it.
const plantEnv = "SHIPLOG_PLANTED"

// plant is a fault that programs which keep a log have had. It is put into a copy of a source file, which is built
// instead of it; old stands there once, PLANTED in new is true when the fault is to happen, and the file imports os.
type plant struct {
	name, file, old, new string
	finders              []finder
}

// finder is a test that has to fail while the fault happens, and a pattern of what it has to say then. Those without
// a package are tests of this one, and the fault is in the program that they torture.
type finder struct {
	pkg, test, says string
}

var plants = []plant{
	{"acknowledged before it is synced", "format/commit.go",
		"err = w.put(batches...); err == nil {", "err = w.put(batches...); err == nil && !(PLANTED) {",
		[]finder{{"format", "TestLosePowerBeforeTheNthOperation", "acknowledged was"}, {"", "TestPowerCut/ext4", "are not there under their numbers"}}},
	{"acknowledged although the disk is full", "format/commit.go",
		"q.err = err\n", "if q.err = err; PLANTED { q.err = nil }\n",
		[]finder{{"format", "TestFullTmpfs", "does not get full"}, {"", "TestFullDisk/ext4", "a client was answered|are not there under their numbers"}}},
	{"a torn end is written on to", "format/recover.go",
		"w.torn = &tornTail{segment: last.Name, good: good, size: last.Size}",
		"if PLANTED { good = last.Size }\n\tw.torn = &tornTail{segment: last.Name, good: good, size: last.Size}",
		[]finder{{"format", "TestRecoverCutAtEveryByte", "after cut at byte"}, {"format", "TestKillLosesNothing", "round "}, {"", "TestKill", "is no record"}}},
	{"the name of a new segment is not synced", "format/commit.go",
		"if err == nil {\n\t\terr = w.disk.syncDir(w.dir)", "if err == nil && !(PLANTED) {\n\t\terr = w.disk.syncDir(w.dir)",
		[]finder{{"format", "TestLosePowerBeforeTheNthOperation", "was given again"}}},
	{"half a line is not taken back", "format/commit.go",
		"w.spoiled = n > 0 && w.seg.Truncate(w.size) != nil", "w.spoiled = n > 0 && !(PLANTED) && w.seg.Truncate(w.size) != nil",
		[]finder{{"format", "TestFailTheNthOperation/no_space_in_the_middle_of_a_line,_once", "operation 5 failed: segment"}, {"format", "TestFullTmpfs", "with damage .segment"}}},
	{"a short write is taken for a whole one", "format/commit.go",
		"if err == nil && n < len(buf) {\n\t\terr = io.ErrShortWrite", "if err == nil && n < len(buf) && !(PLANTED) {\n\t\terr = io.ErrShortWrite",
		[]finder{{"format", "TestFailTheNthOperation/a_write_that_is_short_and_says_nothing,_once", "is there 0 times, want once"}}},
	{"a sync that failed is believed when it is tried again", "format/commit.go",
		"\t\treturn w.syncFailed(err)\n\t}\n\tw.stats.Syncs++\n\tw.tail = w.tail[:copy",
		"\t\tif PLANTED { return nil }\n\t\treturn w.syncFailed(err)\n\t}\n\tw.stats.Syncs++\n\tw.tail = w.tail[:copy",
		[]finder{{"format", "TestSyncErrorKeepsEveryLine", "1 segments, want 2"}}},
	{"numbers of a failed write are given again", "format/commit.go",
		"if lines == 0 {\n\t\t\t\treturn", "if lines == 0 || PLANTED {\n\t\t\t\treturn",
		[]finder{{"format", "TestNumbersOfAFailedWriteAreNotReused", "2 refused"}}},
	{"segments are removed before that is written down", "format/prune/remove.go",
		`err := p.step("start", func`, "if PLANTED { _, _ = p.unlink(ctx, r.Segments) }\n\terr := p.step(\"start\", func",
		[]finder{{"format/prune", "TestKillBeforeTheNthStep", "killed before step"}, {"format/prune", "TestFailTheNthStep/no_space,_once", "step 1 unlink failed"}}},
	{"half a seal is written on to", "format/seal/keeper_load.go",
		"errors.Join(k.takeTorn(c), k.writeAgain())", "errors.Join(func() error { if PLANTED { return nil }; return k.takeTorn(c) }(), k.writeAgain())",
		[]finder{{"format/seal", "TestSealsCutAtEveryByte", "cut at byte"}}},
	{"a plain file goes before the compressed one is synced", "format/compress/files.go",
		"if err := f.Sync(); err != nil {", "if err := f.Sync(); err != nil && !(PLANTED) {",
		[]finder{{"", "TestPowerCut/ext4", "zst cannot be read|is not what the plain file holds"}}},
	{"a compressed file is not read back", "format/compress/files.go",
		"\tif err == nil {\n\t\terr = same(sum, n, want, bytes)", "\tif PLANTED { err = nil } else if err == nil {\n\t\terr = same(sum, n, want, bytes)",
		[]finder{{"format/compress", "TestWrongCompressedFileIsMadeAnew", "no Zstandard|records are left"}}},
}

// TestPlantedFaultsAreFound holds that the tests of crashes and failing disks find what they are for: each fault
// is built in and has to make its tests fail. That they pass without one is seen where they belong.
func TestPlantedFaultsAreFound(t *testing.T) {
	asked(t)
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &soil{root: root, dir: t.TempDir(), built: map[string]string{}}
	s.overlay(t, append(hurry, plants...))
	for _, p := range plants {
		for _, f := range p.finders {
			t.Run(p.name+", "+f.test, func(t *testing.T) {
				out, err := s.find(t, p.name, f)
				exit, failed := errors.AsType[*exec.ExitError](err)
				switch name, _, _ := strings.Cut(f.test, "/"); {
				case err == nil && strings.Contains(out, "--- SKIP: "):
					t.Skipf("%s is skipped here:\n%s", f.test, out)
				case err == nil:
					t.Errorf("%s does not find it:\n%s", f.test, out)
				case !failed || exit.ExitCode() != 1 || !strings.Contains(out, "--- FAIL: "+name) || !regexp.MustCompile(f.says).MatchString(out):
					t.Errorf("%s = %v, want that it fails with %q:\n%.4000s", f.test, err, f.says, out)
				}
			})
		}
	}
}

// soil is where faults are planted.
type soil struct {
	root, dir string
	file      string            // for -overlay
	built     map[string]string // binaries by package
}

// overlay writes the copies with all the changes in them.
func (s *soil) overlay(t *testing.T, changes []plant) {
	t.Helper()
	files := map[string]string{}
	for _, p := range changes {
		path := filepath.Join(s.root, filepath.FromSlash(p.file))
		text, ok := files[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, p.old); n != 1 {
			t.Fatalf("%s: %q is in %s %d times, want once: plant it anew", p.name, p.old, p.file, n)
		}
		planted := fmt.Sprintf("os.Getenv(%q) == %q", plantEnv, p.name)
		files[path] = strings.Replace(text, p.old, strings.ReplaceAll(p.new, "PLANTED", planted), 1)
	}
	replace := map[string]string{}
	for path, text := range files {
		replace[path] = filepath.Join(s.dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	s.file = filepath.Join(s.dir, "overlay.json")
	if err := os.WriteFile(s.file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// binary is the tests of a package, or for none the program, with the faults built in.
func (s *soil) binary(t *testing.T, pkg string) string {
	t.Helper()
	if file := s.built[pkg]; file != "" {
		return file
	}
	file := filepath.Join(s.dir, "built-"+strings.ReplaceAll(pkg, "/", "-"))
	args := []string{"build", "-overlay", s.file, "-o", file, "."}
	if pkg != "" {
		args = []string{"test", "-c", "-vet=off", "-overlay", s.file, "-o", file, "./" + pkg}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = s.root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	s.built[pkg] = file
	return file
}

// find runs one test with a fault.
func (s *soil) find(t *testing.T, fault string, f finder) (string, error) {
	t.Helper()
	parts := strings.Split(f.test, "/")
	cmd := exec.Command(s.binary(t, f.pkg), "-test.timeout=2m", "-test.v", "-test.run=^"+strings.Join(parts, "$/^")+"$")
	cmd.Dir = filepath.Join(s.root, filepath.FromSlash(f.pkg))
	cmd.Env = append(os.Environ(), plantEnv+"="+fault)
	if f.pkg == "" {
		program := cmd.Path
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path, cmd.Args[0], cmd.Dir = self, self, "."
		cmd.Args = append(cmd.Args, "-rounds=20", "-cuts=4")
		cmd.Env = append(cmd.Env, "SHIPLOG_BINARY="+program)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
