package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"shiplog/format"
)

// SocketName is the socket's name in a data directory.
const SocketName = "agent.sock"

const (
	maxClientLine  = 256 << 10        // one record, as the format allows
	requestFrame   = 64               // bytes around a record in a request
	maxClients     = 64               // connections served at once
	clientLineWait = 30 * time.Second // for the next line, all of it
	clientSend     = 30 * time.Second // for a reply; as the next line, so that both deadlines end together
	clientAppend   = 30 * time.Second // for the disk
	clientGrace    = 5 * time.Second  // at the end, for records being written
)

// SocketOptions are what a socket gives access to.
type SocketOptions struct {
	// Append writes records and returns when they are on the disk; required.
	Append func(ctx context.Context, recs ...*format.Record) error
	// Inspect and List tell the live state of containers; nil: inquiries answer format.ErrEngineDown.
	Inspect func(ctx context.Context, typ, id string) (format.Container, error)
	List    func(ctx context.Context) ([]format.Container, error)
	// Ready gives reasons why what happens now is not in the log; nil: none.
	Ready func() []string
	// Status tells how the agent is; nil: nobody knows.
	Status func() Status
	// Metrics returns what the agent measures, in whatever form the caller of Remote.Metrics reads; nil: nothing.
	Metrics func() ([]byte, error)
	// Prune removes old segments, as body says, for the user uid; nil: nothing is ever removed. What it returns is
	// the answer, as JSON.
	Prune func(ctx context.Context, body json.RawMessage, uid int) (any, error)

	Logger *slog.Logger // nil: slog.Default()
}

// socketServer takes records from programs on the box: one JSON record per line in, for each one line
// {"seq":N} or {"error":"..."} out, in the same order. A record is answered after it is on the disk. A line may
// ask for something else, see parseRequest.
type socketServer struct {
	opts     SocketOptions
	log      *slog.Logger
	now      func() time.Time
	lineWait time.Duration // clientLineWait but in tests

	slots chan struct{} // size maxClients: a connection holds one

	mu    sync.Mutex
	conns map[*net.UnixConn]struct{} // guarded by mu
}

// RunSocket serves path until ctx ends. A socket left by a dead process is replaced; one that is served, or a
// file that is none, is an error.
//
// The socket has mode 0660 and the group of its directory. So who may connect is root, the user who runs this,
// and the members of that group who can enter the directory. Each of them can write records, in the name of
// others too, and ask for the state of any container; only the first two can have records removed: of the group should only be a server that runs as a user
// of its own, and programs that write records. Nobody gets more of an engine through it than what Inspect tells.
func RunSocket(ctx context.Context, path string, o SocketOptions) error {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &socketServer{opts: o, log: o.Logger, now: time.Now, lineWait: clientLineWait}
	return s.run(ctx, path)
}

func (s *socketServer) run(ctx context.Context, path string) error {
	ln, err := listenSocket(path)
	if err != nil {
		return err
	}
	s.slots = make(chan struct{}, maxClients)
	s.conns = map[*net.UnixConn]struct{}{}
	stop := context.AfterFunc(ctx, ln.close)
	defer stop()
	err = s.accept(ctx, ln)
	ln.close()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// accept serves connections until the listener is closed, and waits for those under way.
func (s *socketServer) accept(ctx context.Context, ln *socketListener) error {
	var wg sync.WaitGroup
	defer func() {
		s.hangUp(time.Now().Add(clientGrace))
		wg.Wait()
	}()
	for {
		conn, err := ln.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil: // out of file descriptors: others will be given back
			s.log.Warn("accepting a client failed", "socket", ln.path, "err", err)
			sleep(ctx, 100*time.Millisecond)
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default:
			_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = conn.Write(errorReply(fmt.Errorf("%w: %d clients are connected already; try again", format.ErrAgentDown, maxClients)))
			conn.Close()
			continue
		}
		s.mu.Lock()
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		wg.Go(func() {
			defer func() {
				conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
				<-s.slots
			}()
			s.serve(ctx, conn)
		})
	}
}

// hangUp makes clients that send nothing go, and gives replies until then.
func (s *socketServer) hangUp(until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Now())
		_ = c.SetWriteDeadline(until)
	}
}

// serve answers the lines of one client.
func (s *socketServer) serve(ctx context.Context, conn *net.UnixConn) {
	uid := peerUID(conn)
	in := bufio.NewReaderSize(conn, maxClientLine+requestFrame)
	for ctx.Err() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(s.lineWait))
		if ctx.Err() != nil { // hangUp may have come just before
			_ = conn.SetReadDeadline(time.Now())
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			if err = lineError(err, len(line), ctx.Err() != nil); err != nil {
				s.reply(conn, errorReply(err))
			}
			return
		}
		if !s.reply(conn, s.answer(ctx, line, uid)) {
			return
		}
	}
}

// answer does what a line asks for.
func (s *socketServer) answer(ctx context.Context, line []byte, uid int) []byte {
	if name, body, ok := parseRequest(line); ok {
		return s.request(ctx, name, body, uid)
	}
	seq, err := s.append(ctx, line, uid)
	if err != nil {
		return errorReply(err)
	}
	return seqReply(seq)
}

// lineError says what was wrong with a line that did not end; nil for a client that just went away.
func lineError(err error, got int, stopping bool) error {
	var timeout net.Error
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("line longer than %d bytes", maxClientLine)
	case got == 0:
		return nil
	case stopping:
		return fmt.Errorf("%w: shiplog is stopping; the record is not stored", format.ErrAgentDown)
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("line not finished in time; the record is not stored")
	}
	return errors.New("line without a newline at its end; the record is not stored")
}

// append stores the record of one line.
func (s *socketServer) append(ctx context.Context, line []byte, uid int) (uint64, error) {
	r, err := ClientRecord(line, uid, s.now())
	if err != nil {
		return 0, err
	}
	if err := s.store(ctx, r); err != nil {
		return 0, err
	}
	return r.Seq, nil
}

// store writes r. A record being written when shiplog stops is still acknowledged.
func (s *socketServer) store(ctx context.Context, r *format.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clientAppend)
	defer cancel()
	return s.opts.Append(ctx, r)
}

func (s *socketServer) reply(conn net.Conn, answer []byte) bool {
	_ = conn.SetWriteDeadline(time.Now().Add(clientSend))
	_, err := conn.Write(answer)
	return err == nil
}

func seqReply(seq uint64) []byte {
	return append(strconv.AppendUint([]byte(`{"seq":`), seq, 10), "}\n"...)
}
