package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
	"shiplog/format"
)

func (p *Program) recordCommand() *cobra.Command {
	var dir, user, level, outcome, engine, data string
	var at time.Time
	r := format.Record{Stream: format.StreamLog}
	cmd := &cobra.Command{
		Use:   "record",
		Short: "Write one record, like logger(1)",
		Long: `Write one record. A running agent takes it over its socket; without one it is appended to
the files. The record is on disk when the command returns; it prints {"seq":N}.`,
		Example: `  shiplog record --category backup --message "Finished backup job nightly (return=0)"
  shiplog record --category backup --level ERROR --message "Backup error: disk full" --user backup`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.Level, r.Outcome, r.Engine = format.Level(level), format.Outcome(outcome), format.Engine(engine)
			if !at.IsZero() {
				r.Time = at.UTC()
			}
			if data != "" {
				r.Data = json.RawMessage(data)
			}
			r.Actor.Name = user
			if err := checkRecord(&r); err != nil {
				return err
			}
			seq, err := p.record(cmd.Context(), dir, &r)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Stdout, "{\"seq\":%d}\n", seq)
			return err
		},
	}
	p.dataFlag(cmd, &dir)
	flags := cmd.Flags()
	flags.StringVar(&r.Category, "category", "", "container, image, export, import, backup, system, ... (required)")
	flags.StringVar(&r.Msg, "message", "", "what happened, for people (required)")
	choiceFlag(flags, &level, "level", "", "how serious it is (default: ERROR for a failure, else INFO)", "", "DEBUG", "INFO", "WARN", "ERROR")
	flags.StringVar(&user, "user", "", "who did it; default: the user who runs this")
	flags.StringVar(&r.Action, "action", "", "what was done, as object.verb")
	choiceFlag(flags, &outcome, "outcome", "", "how it ended", "", "success", "failure", "pending", "unknown")
	flags.StringVar(&r.Status, "status", "", "the program's own status word")
	flags.StringVar(&r.Code, "code", "", "the program's exit or result code")
	flags.StringVar(&r.Obj.Type, "object-type", "", "what it was done to: container, image, volume, ...")
	flags.StringVar(&r.Obj.ID, "object-id", "", "the object's id")
	flags.StringVar(&r.Obj.Name, "object-name", "", "the object's name")
	flags.StringVar(&r.Obj.Image, "object-image", "", "the object's image")
	choiceFlag(flags, &engine, "engine", "", "the container engine it concerns", "", "docker", "lxc", "lxd", "incus")
	flags.Var(when{&at, time.Now}, "time", "when it happened; default now")
	flags.StringVar(&data, "json", "", "anything else, a JSON `object`; stored as data")
	flags.SortFlags = false
	return cmd
}

// checkRecord refuses what cannot be a record.
func checkRecord(r *format.Record) error {
	var object map[string]json.RawMessage
	switch {
	case r.Category == "":
		return usagef("--category is missing")
	case strings.TrimSpace(r.Msg) == "":
		return usagef("--message is missing")
	case r.Data != nil && json.Unmarshal(r.Data, &object) != nil:
		return usagef("--json: not a JSON object")
	}
	if err := r.Validate(); err != nil {
		return usagef("%v", err)
	}
	return nil
}

// record hands r to the agent that runs on dir, or appends it itself, just so, when none does.
func (p *Program) record(ctx context.Context, dir string, r *format.Record) (uint64, error) {
	line := format.AppendLine(nil, r)
	seq, err := agent.SendRecord(ctx, filepath.Join(dir, agent.SocketName), line)
	if !errors.Is(err, agent.ErrNoAgent) {
		return seq, err
	}
	own, err := agent.ClientRecord(line, os.Getuid(), time.Now())
	if err != nil {
		return 0, err
	}
	w, err := format.Open(dir, format.Options{Host: hostname()})
	if err != nil {
		return 0, locked(err)
	}
	err = w.Append(ctx, own)
	return own.Seq, errors.Join(err, w.Close())
}
