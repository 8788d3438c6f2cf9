package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
)

// logFlags say how a daemon tells of itself on stderr.
type logFlags struct {
	level, format string
	now           slog.LevelVar // the level in force; a reload changes it
}

func (l *logFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	choiceFlag(flags, &l.level, "log-level", "", "tell of itself what is at least this important", "info", "debug", "warn", "error")
	choiceFlag(flags, &l.format, "log-format", "", "form of what it tells of itself", "text", "json")
	reloadable(flags, "log-level")
}

// parsed is the level that --log-level names.
func (l *logFlags) parsed() slog.Level {
	switch l.level {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// logger writes to stderr. The journal has its own clock, and wants to be told the priority of each line.
func (l *logFlags) logger(p *Program) *slog.Logger {
	l.now.Set(l.parsed())
	form := func(w io.Writer, opts *slog.HandlerOptions) slog.Handler { return slog.NewTextHandler(w, opts) }
	if l.format == "json" {
		form = func(w io.Writer, opts *slog.HandlerOptions) slog.Handler { return slog.NewJSONHandler(w, opts) }
	}
	if !isJournal(p.Stderr, p.Env("JOURNAL_STREAM")) {
		return slog.New(form(p.Stderr, &slog.HandlerOptions{Level: &l.now}))
	}
	out := &journalWriter{w: p.Stderr}
	return slog.New(journalHandler{form(&out.line, &slog.HandlerOptions{Level: &l.now, ReplaceAttr: withoutTime}), out})
}

// withoutTime takes the time out of a line.
func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// isJournal tells whether w is the stream that the service manager said leads to the journal, as DEVICE:INODE.
// The variable alone says nothing: it is inherited by programs whose output goes elsewhere.
func isJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	fi, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// journalWriter is the way to the journal of all handlers of one logger.
type journalWriter struct {
	w io.Writer

	mu   sync.Mutex   // held across the write of a line: lines must not mix
	line bytes.Buffer // guarded by mu
}

// journalHandler puts the priority of syslog before each line, which the journal takes off again.
type journalHandler struct {
	slog.Handler // writes to out.line
	out          *journalWriter
}

// Handle implements slog.Handler.
func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "<%d>", priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.w.Write(h.out.line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup implements slog.Handler.
func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.out}
}

// priority is what syslog calls a level.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}
