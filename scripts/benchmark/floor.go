package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// floor is a server that does nothing, as a process of its own: what HTTP itself costs on this machine, now.
type floor struct {
	cmd *exec.Cmd
	url string
}

// serveFloor is what that process does until its standard input ends.
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
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "floor")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	in, err := cmd.StdinPipe() // ends with this process, whatever it ends by
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the empty server did not start: %w", err)
	}
	_ = in
	b.floor = &floor{cmd, strings.TrimSpace(line)}
	return nil
}

func (f *floor) stop() {
	if f != nil {
		_ = f.cmd.Process.Kill()
		_ = f.cmd.Wait()
	}
}
