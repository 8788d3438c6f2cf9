package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shiplog/cli"
)

// pages writes all pages into a directory.
func pages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := write(dir, "1.2.0", "2026-11-26"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, dir, page string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEachCommandHasAPageWithAllItsFlags(t *testing.T) {
	dir := pages(t)
	root := (&cli.Program{Env: func(string) string { return "" }}).Command()
	n := 0
	err := each(root, func(cmd *cobra.Command) error {
		n++
		text := read(t, dir, name(cmd)+".1")
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(text, `\fB`+escape("--"+f.Name)+`\fR`) {
				t.Errorf("%s.1 lacks --%s", name(cmd), f.Name)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != n || n < 20 {
		t.Errorf("%d pages for %d commands, %v; want one each, and at least 20", len(files), n, err)
	}
}

func TestTheFirstPageTellsWhatAllCommandsShare(t *testing.T) {
	text := read(t, pages(t), "shiplog.1")
	for _, want := range []string{`.TH "SHIPLOG" 1 "2026-11-26" "shiplog 1.2.0"`, ".SH EXIT STATUS", ".SH ENVIRONMENT", ".SH FILES", `\fBshiplog\-query\fR(1)`} {
		if !strings.Contains(text, want) {
			t.Errorf("shiplog.1 lacks %s", want)
		}
	}
}

// The pages are the same wherever they are made.
func TestAPageSaysNothingOfTheMachineThatMadeIt(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	t.Setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
	dir := pages(t)
	for _, page := range []string{"shiplog-query.1", "shiplog-run.1"} {
		text := read(t, dir, page)
		if strings.Contains(text, "somebody") || strings.Contains(text, "192.0.2.1") || !strings.Contains(text, "default /var/lib/shiplog") ||
			!strings.Contains(text, "default /etc/shiplog/shiplog.yaml") {
			t.Errorf("%s shows what is of this machine, or other places than /var/lib/shiplog and /etc/shiplog/shiplog.yaml", page)
		}
	}
}

func TestManReadsThePagesWithoutAWarning(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed: apt-get install groff-base")
	}
	files, err := filepath.Glob(filepath.Join(pages(t), "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range files {
		cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", page)
		var warnings strings.Builder
		cmd.Stderr = &warnings
		if err := cmd.Run(); err != nil || warnings.Len() > 0 {
			t.Errorf("groff %s: %v\n%s", filepath.Base(page), err, warnings.String())
		}
	}
}

func TestRoffShowsATextAsItIs(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"running text", "one\ntwo", "one\ntwo\n"},
		{"paragraphs are parted", "one\n\ntwo", "one\n.PP\ntwo\n"},
		{"an indented line keeps its place", "text\n\n  shiplog -n 1", "text\n.PP\n.nf\n  shiplog \\-n 1\n.fi\n"},
		{"a dot or a quote at the start is no request", ".sh\n'x", "\\&.sh\n\\(aqx\n"},
		{"a backslash is no escape", `a\b`, "a\\eb\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := paragraphs(test.in); got != test.want {
				t.Errorf("paragraphs(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}
