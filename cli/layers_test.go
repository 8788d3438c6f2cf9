package cli

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers says which of our packages each of our packages may import. The arrows point one way only:
// format knows nobody, format/seal follows its files as a reader does, index and agent know format, httpd knows index, cli introduces them to each other.
var layers = map[string][]string{
	".":               {"shiplog/cli"},
	"format":          {},
	"format/seal":     {"shiplog/format"},
	"format/prune":    {"shiplog/format"},
	"format/compress": {"shiplog/format"},
	"agent":           {"shiplog/format"},
	"index":           {"shiplog/format"},
	"httpd":           {"shiplog/index", "shiplog/format"},
	"cli":             {"shiplog/format", "shiplog/format/seal", "shiplog/format/prune", "shiplog/format/compress", "shiplog/agent", "shiplog/index", "shiplog/httpd"},
}

const maxFileLines = 500

// goFiles calls f for each Go file of the project, with its path from the root.
func goFiles(t *testing.T, f func(path string)) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != "." && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return fs.SkipDir
		}
		if !e.IsDir() && strings.HasSuffix(path, ".go") {
			f(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLayers(t *testing.T) {
	banned := []string{"util", "utils", "common", "helper", "helpers", "types", "models", "misc", "support", "base"}
	goFiles(t, func(path string) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		dir, test := filepath.Dir(path), strings.HasSuffix(path, "_test.go")
		if slices.Contains(banned, file.Name.Name) {
			t.Errorf("%s is in package %s: a package is named for what it does", path, file.Name.Name)
		}
		if may, ok := layers[dir]; ok && !test {
			for _, spec := range file.Imports {
				name := strings.Trim(spec.Path.Value, `"`)
				if strings.HasPrefix(name, "shiplog/") && !slices.Contains(may, name) {
					t.Errorf("%s imports %s; package %s may import %q", path, name, dir, may)
				}
			}
		}
		for _, d := range file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s has a func init: what happens at start stands in main", path)
			}
		}
	})
}

func TestFilesAreShort(t *testing.T) {
	goFiles(t, func(path string) {
		f, err := os.Open(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n := 0
		for s := bufio.NewScanner(f); s.Scan(); n++ {
		}
		if n > maxFileLines {
			t.Errorf("%s has %d lines, want at most %d: it holds more than one thing", path, n, maxFileLines)
		}
	})
}

func TestTopLevelIsKnown(t *testing.T) {
	known := []string{"agent", "cli", "format", "httpd", "index", "scripts", "systemd"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "dist" && !slices.Contains(known, e.Name()) {
			t.Errorf("unknown top-level folder %s", e.Name())
		}
	}
}
