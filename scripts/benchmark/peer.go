package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// peer is a program that is asked over HTTP. It prints where on its first line, and ends with its standard input.
type peer struct {
	cmd *exec.Cmd
	url string
}

func startPeer(cmd *exec.Cmd) (*peer, error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if _, err := cmd.StdinPipe(); err != nil { // nothing is written: it ends with this process, whatever that ends by
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &peer{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s did not say where it listens: %w", cmd.Path, err)
	}
	p.url = strings.TrimSpace(line)
	return p, nil
}

// end lets it write what it still has to.
func (p *peer) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

func (p *peer) stop() {
	if p != nil {
		_ = p.cmd.Process.Kill() // what it would still write is thrown away
		_ = p.cmd.Wait()
	}
}
