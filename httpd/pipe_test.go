package httpd

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipesAreNotWaitedFor puts a pipe where a file should be: opening one could wait for ever.
func TestPipesAreNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAccounts(path); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("LoadAccounts(a pipe) = %v, want that it is not a file", err)
	}
	if _, err := readKey(path); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("readKey(a pipe) = %v, want that it is not a file", err)
	}
}
