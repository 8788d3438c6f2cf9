package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noConfig is what --config says when no file is to be read.
const noConfig = "none"

// daemonCommand is a command that runs as a service, with what its flags fill.
type daemonCommand struct {
	*cobra.Command
	d *daemon
}

// daemonCommands makes the commands whose flags are the keys of the configuration file.
func (p *Program) daemonCommands() []daemonCommand {
	return []daemonCommand{p.runCommand(), p.agentCommand(), p.serveCommand()}
}

// keys returns the flags that are keys of the configuration file, of any command, in their order. They are of
// nobody: setting them only tells whether that can be done.
func (p *Program) keys() *pflag.FlagSet {
	all := pflag.NewFlagSet("keys", pflag.ContinueOnError)
	all.SortFlags = false
	for _, dc := range p.daemonCommands() {
		dc.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "config" && f.Name != "help" && all.Lookup(f.Name) == nil {
				all.AddFlag(f)
			}
		})
	}
	return all
}

// configFlag adds --config.
func (p *Program) configFlag(cmd *cobra.Command) {
	file := p.Config
	if file == "" {
		file = noConfig
	}
	cmd.Flags().String("config", file, "configuration `file`, or none")
}

// wholeFile is the annotation of commands that take all of their flags from the configuration file, and refuse
// one with mistakes. Others take --data, and what else a daemon has of the same name.
const (
	wholeFile = "whole configuration file"
	once      = "at the start"
	again     = "at the start and at SIGHUP"
)

// configure gives each flag that the command line left out its value from the environment, or else from the
// configuration file.
func (p *Program) configure(cmd *cobra.Command) error {
	if p.hangups == nil && cmd.Annotations[wholeFile] == again {
		p.holdHangups() // before the file is read: what is written from now on is not missed
	}
	if err := p.fromEnv(cmd.Flags()); err != nil {
		return err
	}
	f := cmd.Flags().Lookup("config")
	if f == nil || f.Value.String() == noConfig || cmd.Annotations[ownFile] != "" {
		return nil
	}
	named := originOf(f) != ""
	file, err := readConfig(f.Value.String())
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if cmd.Annotations[wholeFile] == "" {
		return p.someFromFile(cmd.Flags(), file, err, named)
	}
	problems, wrong := errors.AsType[configError](err)
	if err != nil && !wrong {
		return configError{err}
	}
	problems = append(problems, file.check(p.keys())...)
	if len(problems) > 0 {
		return problems.sorted()
	}
	for _, s := range file.settings {
		if f := cmd.Flags().Lookup(s.key); f != nil && originOf(f) == "" {
			if err := file.set(f, s); err != nil {
				return configError{err}
			}
		}
	}
	return nil
}

// someFromFile gives the flags that [alsoOfFile] named their values from the file, of which err says what is wrong.
// The mistakes of a file that nobody named must not keep a person from a log, and many may not read it at all.
func (p *Program) someFromFile(flags *pflag.FlagSet, file *configFile, err error, named bool) error {
	open := map[string]*pflag.Flag{} // what neither the command line nor the environment has said
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[fileNote] != nil && originOf(f) == "" {
			open[f.Name] = f
		}
	})
	if len(open) == 0 {
		return nil
	}
	if err != nil && named {
		return configError{err}
	}
	found := false
	if file != nil {
		for _, s := range file.settings {
			if f := open[s.key]; f != nil && s.items != nil {
				if err := file.set(f, s); err != nil {
					return err
				}
				found = true
			}
		}
	}
	if _, wrong := errors.AsType[configError](err); wrong && !found {
		fmt.Fprintf(p.Stderr, "shiplog: warning: the configuration is not used: %v\n", err)
	}
	return nil
}

// check returns what is wrong with the settings of the file, each of which must be one of keys. It sets them.
func (c *configFile) check(keys *pflag.FlagSet) (problems configError) {
	for _, s := range c.settings {
		f := keys.Lookup(s.key)
		var err error
		switch {
		case len(problems) >= maxProblems:
			return problems
		case f == nil:
			err = problem{c.path, s.line, clip(s.key), "unknown" + suggestion(s.key, keys)}
		case s.items != nil:
			err = c.set(f, s)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// set gives f the value of s.
func (c *configFile) set(f *pflag.Flag, s setting) error {
	refuse := func(what string) error { return problem{c.path, s.line, s.key, what} }
	list, takesList := f.Value.(pflag.SliceValue)
	_, takesWords := f.Value.(*choices)
	switch {
	case s.list && !takesList && !takesWords:
		return refuse("is a list; want one value")
	case s.truth && f.Value.Type() != "bool":
		return refuse(fmt.Sprintf("want a %s, not %s; quote it if it is meant", kindOf(f), s.items[0]))
	case s.list && takesList:
		if err := list.Replace(s.items); err != nil {
			return refuse(err.Error())
		}
		setOrigin(f, c.path, strconv.Itoa(s.line))
		return nil
	}
	if err := setFlag(f, strings.Join(s.items, ","), c.path, strconv.Itoa(s.line)); err != nil {
		return refuse(err.Error())
	}
	return nil
}

// kindOf is what the value of f is called in its usage.
func kindOf(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	if name == "" {
		return "value"
	}
	return name
}

// suggestion names the key that was probably meant, if there is one.
func suggestion(key string, keys *pflag.FlagSet) string {
	best, least := "", 3 // a name that is further away is another one
	if len(key) <= 64 {
		meant := strings.TrimLeft(strings.ToLower(strings.ReplaceAll(key, "_", "-")), "-")
		keys.VisitAll(func(f *pflag.Flag) {
			if d := distance(meant, f.Name); d < least {
				best, least = f.Name, d
			}
		})
	}
	if best == "" {
		return "; shiplog config init shows all keys"
	}
	return "; is " + best + " meant?"
}

// distance is how many letters must be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
