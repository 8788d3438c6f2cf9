package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shiplog/format"
)

func (p *Program) demoCommand() *cobra.Command {
	d := p.newDaemon()
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it on made-up data, without an engine and without root",
		Long: `Make up 90 days of a box with 25 containers in a temporary directory and serve them. The
directory is deleted at the end (Ctrl-C).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d.log = d.logs.logger(p)
			if d.dir, err = os.MkdirTemp("", "shiplog-demo-"); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
			if d.writer, err = format.Open(d.dir, format.Options{Host: "nas"}); err != nil {
				return err
			}
			if err := d.tell(cmd.Context()); err != nil {
				return errors.Join(err, d.writer.Close())
			}
			return d.serve(cmd.Context(), p)
		},
	}
	d.flags(cmd)
	return cmd
}

// tell writes the story into the data directory and opens what serves it.
func (d *daemon) tell(ctx context.Context) error {
	end := time.Now().UTC().Truncate(time.Second)
	d.demo, d.brief = newDemo(end), true
	if err := d.demo.write(ctx, d.writer, end); err != nil {
		return err
	}
	if err := d.openServing(); err != nil {
		return err
	}
	n := d.writer.LastSeq()
	d.notes = append(d.notes, fmt.Sprintf("%d records of %d days in %s, deleted at the end (Ctrl-C)", n, demoDays, d.dir),
		"", "Who deleted paperless? Try in another terminal:", "")
	for _, c := range []string{"query -n 20", "query --level WARN,ERROR --since 14d", "query --text paperless -n 12 -o csv", "query --since 6d --category auth,container --stream log", "query -f"} {
		d.notes = append(d.notes, "  "+demoProgram()+" "+strings.Replace(c, "query", "query --data "+d.dir, 1))
	}
	return nil
}

// demoProgram is how the reader of the notes can call this program.
func demoProgram() string {
	exe, err := os.Executable()
	if err != nil || strings.Contains(exe, "go-build") {
		return "go run ."
	}
	return exe
}

// write gives the story to the writer, in the order in which it happened.
func (d *demoWorld) write(ctx context.Context, w *format.Writer, end time.Time) error {
	take := newIntake(atItsTime{w}, nil)
	mappers := map[format.Engine]mapper{
		format.EngineDocker: newMapper(format.EngineDocker),
		format.EngineIncus:  newMapper(format.EngineIncus),
	}
	for _, s := range d.done(end) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, engine := range []format.Engine{format.EngineDocker, format.EngineIncus} {
			if err := take.storeMapped(mappers[engine].Tick(s.at)); err != nil {
				return err
			}
		}
		if s.record != nil {
			if err := take.w.Write(s.record); err != nil {
				return err
			}
			continue
		}
		got, err := mappers[s.engine].Event(s.raw)
		if err != nil {
			return fmt.Errorf("event %s: %w", s.raw, err)
		}
		if err := take.storeMapped(got); err != nil {
			return err
		}
	}
	for _, m := range mappers {
		if err := take.storeMapped(m.Flush()); err != nil {
			return err
		}
	}
	return nil
}

// atItsTime writes records as if they had been taken in when they happened.
type atItsTime struct{ *format.Writer }

// Write writes recs.
func (w atItsTime) Write(recs ...*format.Record) error {
	for _, r := range recs {
		r.Obs = r.Time
	}
	return w.Writer.Write(recs...)
}

// inspect answers for a container of the story.
func (d *demoWorld) inspect(_ context.Context, typ, id string) (format.Container, error) {
	for _, b := range d.boxes {
		if b.State != "" && (b.Type == typ || b.Type == "lxc" && typ != "docker") &&
			(b.Name == id || b.ID == id || len(id) >= 12 && strings.HasPrefix(b.ID, id)) {
			return b.live(), nil
		}
	}
	return format.Container{}, format.ErrNoContainer
}

// list answers for all containers of the story.
func (d *demoWorld) list(context.Context) ([]format.Container, error) {
	var all []format.Container
	for _, b := range d.boxes {
		if b.State != "" {
			all = append(all, b.live())
		}
	}
	return all, nil
}

// live is the container as an engine would report it: without measurements while it is stopped.
func (b *demoBox) live() format.Container {
	c := b.Container
	if c.State == "stopped" {
		c = format.Container{Type: c.Type, ID: c.ID, Name: c.Name, Image: c.Image, State: c.State, IPAddress: []string{}, TCPPort: []int{}}
	}
	return c
}
