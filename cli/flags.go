package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// fromEnv gives each flag that the command line left out the value of its variable, if that is set:
// --sync-interval is SHIPLOG_SYNC_INTERVAL.
func (p *Program) fromEnv(flags *pflag.FlagSet) error {
	var first error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || first != nil {
			return
		}
		name := envName(f.Name)
		if v := p.Env(name); v != "" {
			if err := setFlag(f, v, fromVariable+name); err != nil {
				first = usagef("%s: %v", name, err)
			}
		}
	})
	return first
}

// setFlag gives f a value and remembers where that is from.
func setFlag(f *pflag.Flag, value string, origin ...string) error {
	if err := f.Value.Set(value); err != nil {
		return plainly(f, value, err)
	}
	setOrigin(f, origin...)
	return nil
}

// plainly says to a person what f does not like about value; err is what it said itself.
func plainly(f *pflag.Flag, value string, err error) error {
	switch f.Value.Type() {
	case "bool":
		return fmt.Errorf("%q is neither true nor false", value)
	case "int":
		return fmt.Errorf("%q is no whole number", value)
	case "duration":
		return fmt.Errorf("%q is no duration; write it like 500ms, 90s or 1h30m", value)
	}
	return err
}

// What is noted about a flag.
const (
	originNote = "origin" // where its value is from; none: it has its default
	otherNote  = "other"  // the variable of another program that its default is from
	reloadNote = "reload" // a running process takes a new value
	fileNote   = "file"   // the configuration file gives it to a command that is no daemon too

	fromVariable = "environment "
)

// setOrigin notes that the value of f is from a variable, or a file and its line.
func setOrigin(f *pflag.Flag, origin ...string) {
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[originNote] = origin
}

// defaultFrom makes the variable name, which is another program's, the default of f. It is told apart from a value
// of f because the configuration file wins over it.
func (p *Program) defaultFrom(f *pflag.Flag, name string) {
	v := p.Env(name)
	if v == "" || f.Value.Set(v) != nil {
		return
	}
	f.DefValue = v
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[otherNote] = []string{name}
}

// originOf tells where the value of f is from; "" when it has its default.
func originOf(f *pflag.Flag) string {
	if f.Changed {
		return "flag"
	}
	return strings.Join(f.Annotations[originNote], ":")
}

// alsoOfFile notes that a command wants these flags to be as its daemon has them.
func alsoOfFile(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, fileNote, []string{"yes"}) // fails for a name that is no flag
	}
}

// reloadable notes that a running process takes new values of these flags.
func reloadable(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, reloadNote, []string{"yes"}) // fails for a name that is no flag; a test counts them
	}
}

func envName(flag string) string {
	return "SHIPLOG_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// dataFlag adds --data.
func (p *Program) dataFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "data", p.defaultData(), "data `directory`")
	alsoOfFile(cmd.Flags(), "data")
	p.configFlag(cmd)
}

// defaultData is where systemd says, /var/lib/shiplog for root, else the user's state directory.
func (p *Program) defaultData() string {
	if dir, _, _ := strings.Cut(p.Env("STATE_DIRECTORY"), ":"); dir != "" {
		return dir
	}
	home, state := p.Env("HOME"), p.Env("XDG_STATE_HOME")
	switch {
	case os.Geteuid() == 0:
	case filepath.IsAbs(state):
		return filepath.Join(state, "shiplog")
	case filepath.IsAbs(home):
		return filepath.Join(home, ".local", "state", "shiplog")
	}
	return "/var/lib/shiplog"
}

// choice is a flag that takes one of a few words.
type choice struct {
	value *string
	words []string
	none  bool // "" is taken too
}

// choiceFlag adds a flag --name that takes one of words; the first is the default, "" stands for none.
func choiceFlag(flags *pflag.FlagSet, value *string, name, short, usage string, words ...string) {
	*value = words[0]
	none := words[0] == ""
	if none {
		words = words[1:]
	}
	flags.VarP(&choice{value, words, none}, name, short, usage+": "+strings.Join(words, ", "))
}

// String implements pflag.Value.
func (c *choice) String() string { return *c.value }

// Type implements pflag.Value.
func (c *choice) Type() string { return "word" }

// Set implements pflag.Value.
func (c *choice) Set(s string) error {
	if s == "" && c.none {
		*c.value = s
		return nil
	}
	for _, w := range c.words {
		if s == w {
			*c.value = s
			return nil
		}
	}
	return fmt.Errorf("%q unknown (%s)", s, strings.Join(c.words, ", "))
}

// choices is a flag that can be given again and takes a comma list, each item one of a few words.
type choices struct {
	value *[]string
	words []string
}

// choicesFlag adds a flag --name of which each item is one of words; left out it has no item.
func choicesFlag(flags *pflag.FlagSet, value *[]string, name, usage string, words ...string) {
	flags.Var(&choices{value, words}, name, usage+": "+strings.Join(words, ", ")+"; can be given again")
}

// String implements pflag.Value.
func (c *choices) String() string { return strings.Join(*c.value, ",") }

// Type implements pflag.Value.
func (c *choices) Type() string { return "word" }

// Set implements pflag.Value.
func (c *choices) Set(s string) error {
	for item := range strings.SplitSeq(s, ",") {
		var one string
		if err := (&choice{value: &one, words: c.words}).Set(item); err != nil {
			return err
		}
		if !slices.Contains(*c.value, one) {
			*c.value = append(*c.value, one)
		}
	}
	return nil
}
