package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"shiplog/format"
)

// measureJournald writes the records into a journal as systemd-journal-remote does, with a field for each column,
// and asks with journalctl, a process each time, as everybody does. It has no groups.
func (b *bench) measureJournald() error {
	remote, env, err := b.journalRemote()
	if err != nil {
		b.report.leftOut(journald, err.Error())
		return nil
	}
	if _, err := exec.LookPath("journalctl"); err != nil {
		b.report.leftOut(journald, "journalctl is not installed")
		return nil
	}
	journal := filepath.Join(b.dir, "journal")
	defer os.RemoveAll(journal)
	if err := b.loadJournal(remote, env, journal); err != nil {
		b.report.leftOut(journald, err.Error())
		return nil
	}
	for _, q := range b.questions() {
		script, rows := b.journalScript(q.id, journal)
		if script == "" {
			continue
		}
		if err := b.ask(q, journald, probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return shell(b.dir, script) }}); err != nil {
			return err
		}
	}
	_, took, err := shell(b.dir, journalctl(journal)+" -o json --output-fields=PRIORITY,CATEGORY,LOG_USER,MESSAGE | wc -c")
	if err == nil {
		b.report.set("answers", exportName, "records/s", journald, &cell{Value: float64(b.n) / took.Seconds()})
	}
	return err
}

// journalRemote finds systemd-journal-remote, or unpacks Debian's package of it, and the library that it wants, below
// the directory of this run. env is what it has to be run with.
func (b *bench) journalRemote() (path string, env []string, err error) {
	for _, path := range []string{"/usr/lib/systemd/systemd-journal-remote", "/lib/systemd/systemd-journal-remote"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil, nil
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return "", nil, errors.New("systemd-journal-remote is not installed, and only root on Debian can fetch it")
	}
	dir := filepath.Join(b.dir, "systemd")
	say("fetches systemd-journal-remote")
	script := `mkdir -p "$1" && cd "$1" && { apt-get download -qq systemd-journal-remote libmicrohttpd12 ||
		{ apt-get update -qq && apt-get download -qq systemd-journal-remote libmicrohttpd12; }; } && for p in *.deb; do dpkg -x "$p" . || exit; done`
	if err := run(exec.Command("sh", "-c", script, "sh", dir)); err != nil {
		return "", nil, fmt.Errorf("systemd-journal-remote cannot be had: %.200w", err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*lib/systemd/systemd-journal-remote")) // the pattern is right
	more, _ := filepath.Glob(filepath.Join(dir, "usr/lib/systemd/systemd-journal-remote"))
	if found = append(found, more...); len(found) == 0 {
		return "", nil, errors.New("the package of Debian has no systemd-journal-remote")
	}
	libs, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu*"))
	return found[0], []string{"LD_LIBRARY_PATH=" + strings.Join(libs, ":")}, nil
}

func (b *bench) loadJournal(remote string, env []string, journal string) error {
	say("journald takes in the records")
	if err := errors.Join(os.RemoveAll(journal), os.Mkdir(journal, 0o755)); err != nil {
		return err
	}
	// It begins a new file now and then, and calls the ones before otherwise.
	cmd := exec.Command(remote, "--split-mode=none", "--output="+filepath.Join(journal, "records.journal"), "-")
	cmd.Env = append(os.Environ(), env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- writeExport(b.records, in) }()
	used, err := timed(cmd)
	if err != nil {
		return err
	}
	if err := <-written; err != nil {
		return err
	}
	size, err := treeSize(journal)
	if err != nil {
		return err
	}
	b.report.set("writing", "import", "records/s", journald, &cell{Value: float64(b.n) / used.wall.Seconds()})
	b.report.set("writing", "import, CPU per million", "s", journald, &cell{Value: b.perMillion(used.cpu)})
	b.report.set("writing", "whole cost, CPU per million", "s", journald, &cell{Value: b.perMillion(used.cpu)})
	b.report.set("memory", "peak while importing", "MB anon", journald, &cell{Value: mb(used.peak)})
	b.report.set("space", "all on disk", "bytes/record", journald, &cell{Value: float64(size) / float64(b.n)})
	return nil
}

var priorities = map[format.Level]int{"ERROR": 3, "WARN": 4, "INFO": 6, "DEBUG": 7}

// writeExport writes the records in the journal's export format. A message with a line end would want another form;
// what it says would then be a field of its own, and the answers would show it.
func writeExport(records string, to io.WriteCloser) error {
	out := bufio.NewWriterSize(to, 1<<20)
	err := lines(records, func(_ []byte, f *format.Fields) error {
		_, err := fmt.Fprintf(out, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n"+
			"MESSAGE=%s\nPRIORITY=%d\nCATEGORY=%s\nLOG_ACTION=%s\nLOG_USER=%s\nOBJ_TYPE=%s\nOBJ_ID=%s\nOBJ_NAME=%s\nOBJ_IMAGE=%s\nENGINE=%s\n_HOSTNAME=%s\nRECORD_ID=%s\nSEQ=%d\n\n",
			f.Time/1000, f.Seq, f.Msg, priorities[f.Level], f.Category, f.Action, f.ActorName, f.ObjType, f.ObjID, f.ObjName, f.ObjImage, f.Engine, f.Host, f.ID, f.Seq)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if closing := to.Close(); err == nil {
		err = closing
	}
	return err
}

func journalctl(journal string) string { return "journalctl -q --no-pager --utc -D " + journal }

func (b *bench) journalScript(id, journal string) (script string, rows func([]byte) ([]string, error)) {
	newest := journalctl(journal) + fmt.Sprintf(" -r -o cat -n %d", pageRows)
	text := func(needle string) (string, func([]byte) ([]string, error)) {
		return newest + fmt.Sprintf(" --case-sensitive=no --grep='%s'", strings.NewReplacer("(", `\(`, ")", `\)`).Replace(needle)), textLines
	}
	t := b.truth
	if needle, ok := t.needle(id); ok {
		return text(needle)
	}
	switch id {
	case latest:
		return newest, textLines
	case errorsOf:
		return newest + " PRIORITY=3 CATEGORY=image CATEGORY=export", textLines
	case userDay:
		return newest + fmt.Sprintf(" LOG_USER=%s --since='%s' --until='%s'", askedUser, t.day.Format(time.DateTime), t.day.AddDate(0, 0, 1).Add(-time.Second).Format(time.DateTime)), textLines
	case count:
		return journalctl(journal) + fmt.Sprintf(" -o cat CATEGORY=container LOG_USER=%s | wc -l", countedUser), textLines
	case deep:
		return journalctl(journal) + fmt.Sprintf(" -r -o cat -n %d | tail -n %d", b.n/2+pageRows, pageRows), textLines
	}
	return "", nil
}
