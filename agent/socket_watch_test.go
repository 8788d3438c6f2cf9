package agent

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAwaitSocketWakesForTheSocketAlone waits far longer than the test for a socket that something happens to.
func TestAwaitSocketWakesForTheSocketAlone(t *testing.T) {
	listen := func(path string) error {
		l, err := net.Listen("unix", path)
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	}
	for _, test := range []struct {
		name   string
		there  bool // the socket exists, but could not be opened
		change func(path string) error
		want   bool
	}{
		{"a socket is made in a folder that exists", false, listen, true},
		{"the folder is made first", false, func(path string) error {
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			return listen(path)
		}, true},
		{"the rights of a socket change", true, func(path string) error { return os.Chmod(path, 0o660) }, true},
		{"another file is made beside it", false, func(path string) error { return os.WriteFile(path+".pid", nil, 0o600) }, false},
		{"nothing happens", false, func(string) error { return nil }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "run", "d.sock")
			if test.name != "the folder is made first" {
				if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if test.there {
				if err := listen(path); err != nil {
					t.Fatal(err)
				}
			}
			wait := time.Minute
			if !test.want {
				wait = time.Second
			}
			got := make(chan bool, 1)
			go func() { got <- awaitSocket(t.Context(), []string{path}, !test.there, wait) }()
			time.Sleep(100 * time.Millisecond) // else the change may be before the watch, which is told as well
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-got:
				if got != test.want {
					t.Errorf("awaitSocket = %v, want %v", got, test.want)
				}
			case <-time.After(20 * time.Second):
				t.Error("awaitSocket has not returned after 20s")
			}
		})
	}
}

// TestAwaitSocketThatCameBefore looks once more when the watch is there: the socket may have come before it.
func TestAwaitSocketThatCameBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if !awaitSocket(ctx, []string{path}, true, time.Minute) {
		t.Error("awaitSocket of a socket that came before the watch = false, want true")
	}
}
