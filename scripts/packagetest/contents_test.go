package packagetest

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// formats is every package that must be there, and what it says of the architecture.
var formats = []struct {
	format, pattern, arch string
	machine               elf.Machine
}{
	{"deb", "*_amd64.deb", "Architecture: amd64\n", elf.EM_X86_64},
	{"deb", "*_arm64.deb", "Architecture: arm64\n", elf.EM_AARCH64},
	{"rpm", "*.x86_64.rpm", "arch: [x86_64]\n", elf.EM_X86_64},
	{"rpm", "*.aarch64.rpm", "arch: [aarch64]\n", elf.EM_AARCH64},
	{"apk", "*_x86_64.apk", "arch = x86_64\n", elf.EM_X86_64},
	{"apk", "*_aarch64.apk", "arch = aarch64\n", elf.EM_AARCH64},
	{"ipk", "*_x86_64.ipk", "Architecture: x86_64\n", elf.EM_X86_64},
	{"ipk", "*_aarch64_generic.ipk", "Architecture: aarch64_generic\n", elf.EM_AARCH64},
}

// expected is what a format installs, manual pages left out; a * before a path: a setting that is kept. An apk does
// not mark them: Alpine keeps what was changed below /etc whatever the package.
func expected(t *testing.T, format string) map[string]fs.FileMode {
	t.Helper()
	kept := "*"
	if format == "apk" {
		kept = ""
	}
	want := map[string]fs.FileMode{"/usr/bin/shiplog": 0o755, kept + "/etc/shiplog/shiplog.yaml": 0o644}
	add := func(mode fs.FileMode, names ...string) {
		for _, name := range names {
			want[name] = mode
		}
	}
	if format == "deb" || format == "rpm" {
		for _, pattern := range []string{"*.service", "*.socket"} {
			units, err := filepath.Glob(filepath.Join("..", "..", "systemd", pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, unit := range units {
				add(0o644, "/usr/lib/systemd/system/"+filepath.Base(unit))
			}
		}
		add(0o644, "/usr/lib/sysusers.d/shiplog.conf", "/usr/lib/tmpfiles.d/shiplog.conf")
	} else {
		add(0o755, kept+"/etc/init.d/shiplog")
	}
	if format != "ipk" {
		add(0o644, "/usr/share/bash-completion/completions/shiplog", "/usr/share/fish/vendor_completions.d/shiplog.fish",
			"/usr/share/shiplog/prometheus/shiplog.rules.yml", "/usr/share/shiplog/prometheus/shiplog-dashboard.json",
			"/usr/share/doc/shiplog/README.md")
	}
	switch format {
	case "deb":
		add(0o644, "/usr/share/zsh/vendor-completions/_shiplog", "/usr/share/doc/shiplog/copyright",
			"/usr/share/doc/shiplog/changelog.gz", "/usr/share/doc/shiplog/THIRD-PARTY.gz")
	case "rpm", "apk":
		add(0o644, "/usr/share/zsh/site-functions/_shiplog")
		fallthrough
	case "ipk":
		add(0o644, "/usr/share/licenses/shiplog/LICENSE", "/usr/share/licenses/shiplog/THIRD-PARTY.gz")
	}
	return want
}

func TestEachPackageHoldsWhatItMustAndNothingElse(t *testing.T) {
	for _, f := range formats {
		t.Run(f.pattern, func(t *testing.T) {
			p := open(t, f.pattern)
			if !strings.Contains(p.meta, f.arch) {
				t.Errorf("%s says\n%s\nwant %q", p.name, p.meta, f.arch)
			}
			got := map[string]fs.FileMode{}
			pages := 0
			for name, file := range p.files {
				if strings.HasPrefix(name, "/usr/share/man/man1/shiplog") && strings.HasSuffix(name, ".1.gz") {
					pages++
					continue
				}
				if file.config {
					name = "*" + name
				}
				got[name] = file.mode
			}
			want := expected(t, f.format)
			if !maps.Equal(got, want) {
				t.Errorf("%s holds\n%v\nwant\n%v", p.name, list(got), list(want))
			}
			if enough := pages >= 20; enough == (f.format == "ipk") {
				t.Errorf("%s holds %d manual pages, want 20 or more, and none on a router", p.name, pages)
			}
		})
	}
}

// Each folder that carries our name goes when the package goes: rpm removes only those that the package calls its own.
func TestTheFoldersOfAnRpmAreItsOwn(t *testing.T) {
	p := open(t, "*.x86_64.rpm")
	for name := range p.files {
		dir := filepath.Dir(name)
		if strings.Contains(dir, "shiplog") && !slices.Contains(p.folders, dir) {
			t.Errorf("nobody owns %s, the folder of %s", dir, name)
		}
	}
	if got := strings.Join(p.folders, " "); !strings.Contains(got, "/etc/shiplog") {
		t.Errorf("the folders of %s = %s, want /etc/shiplog among them", p.name, got)
	}
}

// Where nothing is started by the installation, the package says so.
func TestWhoMustStartItIsTold(t *testing.T) {
	for pattern, want := range map[string]bool{"*_x86_64.apk": true, "*_x86_64.ipk": true, "*_amd64.deb": false} {
		if got := strings.Contains(open(t, pattern).meta, "It is not started before you say so."); got != want {
			t.Errorf("%s says that it is not started: %v, want %v", pattern, got, want)
		}
	}
}

func list(files map[string]fs.FileMode) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b.WriteString(files[name].String() + " " + name + "\n")
	}
	return b.String()
}

func TestTheProgramIsStaticAndForItsArchitecture(t *testing.T) {
	for _, f := range formats {
		t.Run(f.pattern, func(t *testing.T) {
			program := open(t, f.pattern).files["/usr/bin/shiplog"].data
			if f.format == "rpm" {
				t.Skip("the header of an rpm does not hold the bytes")
			}
			exe, err := elf.NewFile(bytes.NewReader(program))
			if err != nil {
				t.Fatal(err)
			}
			if exe.Machine != f.machine {
				t.Errorf("the program is for %v, want %v", exe.Machine, f.machine)
			}
			if slices.ContainsFunc(exe.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
				t.Error("the program names a loader: it is not static")
			}
			info, err := buildinfo.Read(bytes.NewReader(program))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range info.Settings {
				if s.Key == "vcs.modified" || s.Key == "-trimpath" && s.Value != "true" {
					t.Errorf("built with %s=%s, which differs from place to place", s.Key, s.Value)
				}
			}
		})
	}
}

func TestTheProgramKnowsTheVersionOfItsPackage(t *testing.T) {
	p := open(t, "*_"+runtime.GOARCH+".deb")
	exe := filepath.Join(t.TempDir(), "shiplog")
	if err := os.WriteFile(exe, p.files["/usr/bin/shiplog"].data, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(exe, "version", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Version string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if want := "\nVersion: " + strings.Replace(got.Version, "-", "~", 1) + "\n"; !strings.Contains(p.meta, want) {
		t.Errorf("the program says %s, its package\n%s", got.Version, p.meta)
	}
}

// All that is needed is in the binary; what an rpm wants of rpm itself begins with rpmlib.
func TestDependencies(t *testing.T) {
	for _, f := range formats {
		t.Run(f.pattern, func(t *testing.T) {
			meta := open(t, f.pattern).meta
			switch f.format {
			case "rpm":
				_, requires, _ := strings.Cut(meta, "requires: ")
				for name := range strings.FieldsSeq(strings.Trim(requires, "[]\n")) {
					if name != "systemd" && !strings.HasPrefix(name, "rpmlib(") && name != "config(shiplog)" && name != "/bin/sh" {
						t.Errorf("it requires %s", name)
					}
				}
				if host := "buildhost: [localhost]"; !strings.Contains(meta, host) {
					t.Errorf("it names the machine that built it:\n%s", meta)
				}
			case "apk":
				if strings.Contains(meta, "depend = ") {
					t.Errorf("it depends on something:\n%s", meta)
				}
			default:
				if strings.Contains(meta, "\nDepends:") || strings.Contains(meta, "\nPre-Depends:") {
					t.Errorf("it depends on something:\n%s", meta)
				}
			}
		})
	}
}

func TestChecksumsNameAllPackages(t *testing.T) {
	open(t, "*_amd64.deb")
	b, err := os.ReadFile(filepath.Join(os.Getenv("SHIPLOG_PACKAGES"), "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(string(b), "\n"), len(formats)+2; got != want {
		t.Errorf("SHA256SUMS has %d lines, want one for each of %d packages and images:\n%s", got, want, b)
	}
}
