package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
)

// serveFloor is a server that does nothing, as a process of its own: what HTTP itself costs on this machine, now. It
// ends with its standard input.
func serveFloor() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}\n") // who is gone needs no answer
	}))
}

func (b *bench) startFloor() error {
	self, err := os.Executable()
	if err == nil {
		b.floor, err = startPeer(exec.Command(self, "floor"))
	}
	return err
}
