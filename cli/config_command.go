package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ownFile is the annotation of commands that read the configuration file by themselves.
const ownFile = "reads the configuration file itself"

func (p *Program) configCommand() *cobra.Command {
	return group("config", "Show, check or make the configuration file", p.configShow(), p.configCheck(), p.configInit())
}

func (p *Program) configShow() *cobra.Command {
	var origin bool
	daemons := p.daemonCommands()
	cmd := &cobra.Command{
		Use:   "show [run|agent|serve]",
		Short: "Print the settings that a command would start with",
		Long: `Print the settings that run (or the command named) would start with, from its flags, which can be
given here too, the environment, the configuration file and the defaults. The output can be used as a
configuration file.`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{wholeFile: once},
		RunE: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(append(args, "run")[:1], "")
			i := slices.IndexFunc(daemons, func(dc daemonCommand) bool { return dc.Name() == name })
			if i < 0 {
				return usagef("%s has no settings (run, agent, serve)", name)
			}
			return p.show(cmd.Flags(), daemons[i].Flags(), origin)
		},
	}
	for _, dc := range daemons {
		dc.Flags().VisitAll(func(f *pflag.Flag) {
			if cmd.Flags().Lookup(f.Name) == nil {
				cmd.Flags().AddFlag(f)
			}
		})
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say of each value where it is from")
	cmd.Flags().SortFlags = false
	return cmd
}

// show prints those flags that a command has.
func (p *Program) show(flags, of *pflag.FlagSet, origin bool) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Name == "config" || of.Lookup(f.Name) == nil {
			return
		}
		line := f.Name + ": " + yamlOf(f)
		if from := originOf(f); origin {
			if other := f.Annotations[otherNote]; from == "" && len(other) > 0 {
				from = fromVariable + other[0]
			}
			if from == "" {
				from = "default"
			}
			line += " # " + from
		}
		_, err = fmt.Fprintln(p.Stdout, line)
	})
	return err
}

// yamlOf writes the value of f as YAML.
func yamlOf(f *pflag.Flag) string {
	list, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return yamlScalar(f.Value.String())
	}
	var items []string
	for _, item := range list.GetSlice() {
		items = append(items, yamlScalar(item))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// plain are the texts that mean themselves in YAML, also in a list. What is a number or true is not among the
// latter's exceptions: flags read numbers from text.
var plain = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/._@+-]*(:[A-Za-z0-9/._@+-]+)*$`)

func yamlScalar(s string) string {
	switch strings.ToLower(s) {
	case "null", "yes", "no", "on", "off", "y", "n":
		return strconv.Quote(s)
	}
	if plain.MatchString(s) {
		return s
	}
	return yamlQuote(s)
}

// yamlQuote writes s between double quotes.
func yamlQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case hidden(r) || r > 0x7e && r < 0xa0 || r == 0xfeff || r == 0xfffd || r == 0xfffe || r == 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (p *Program) configCheck() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell all mistakes of a configuration file",
		Long: `Tell all mistakes of a configuration file, each with its line. Exit status 0 says that run, agent and
serve would take it, 2 that they would not.`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: map[string]string{ownFile: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cmd.Flags().Lookup("config").Value.String()
			if len(args) > 0 {
				path = args[0]
			}
			if path == noConfig {
				return usagef("there is no configuration file to check; name one")
			}
			if err := p.checkFile(path); err != nil {
				return err
			}
			_, err := fmt.Fprintf(p.Stdout, "%s is good\n", path)
			return err
		},
	}
	p.configFlag(cmd)
	return cmd
}

// checkFile returns all that is wrong with a configuration file by itself, without flags and environment.
func (p *Program) checkFile(path string) error {
	file, err := readConfig(path)
	if file == nil {
		return configError{err}
	}
	var problems configError
	if err != nil {
		problems = append(problems, all(err)...)
	}
	problems = append(problems, file.check(p.keys())...)
	for _, dc := range p.daemonCommands() {
		for _, s := range file.settings {
			if f := dc.Flags().Lookup(s.key); f != nil && s.items != nil {
				_ = file.set(f, s) // what is wrong with it was told by check
			}
		}
		mistakes, _ := errors.AsType[configError](dc.d.check(dc.Flags()))
		for _, one := range mistakes {
			_, ofFile := errors.AsType[problem](one) // else of a flag whose value was refused already
			if ofFile && !slices.ContainsFunc(problems, func(other error) bool { return other.Error() == one.Error() }) {
				problems = append(problems, one)
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return problems.sorted()
}

func (p *Program) configInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Print an example with all keys, as comments",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return p.writeExample(p.Stdout)
		},
	}
}

// writeExample writes a configuration file in which nothing is set yet. It is the same on every machine.
func (p *Program) writeExample(w io.Writer) error {
	packaged := &Program{Env: func(name string) string { // of a service
		if name == "STATE_DIRECTORY" {
			return "/var/lib/shiplog"
		}
		return ""
	}}
	var b strings.Builder
	b.WriteString(exampleHead)
	daemons := packaged.daemonCommands()
	packaged.keys().VisitAll(func(f *pflag.Flag) {
		var of []string
		for _, dc := range daemons {
			if dc.Flags().Lookup(f.Name) != nil {
				of = append(of, dc.Name())
			}
		}
		_, usage := pflag.UnquoteUsage(f)
		note := "(" + strings.Join(of, ", ")
		if f.Annotations[reloadNote] != nil {
			note += "; reload"
		}
		b.WriteString("\n" + comment(strings.ToUpper(usage[:1])+usage[1:]+" "+note+")"))
		b.WriteString("#" + f.Name + ": " + yamlOf(f) + "\n")
	})
	_, err := io.WriteString(w, b.String())
	return err
}

const exampleHead = `# Settings of shiplog. Take the # from what you change; the values shown are the defaults.
#
# Flags and variables have the same names: listen is --listen and SHIPLOG_LISTEN. A flag wins over the
# environment, which wins over this file. The commands that use a key stand behind it in brackets, and
# "reload" when a running shiplog takes a new value at SIGHUP (systemctl reload shiplog); the others take
# effect at the next start. Check the file with: shiplog config check
`

// comment breaks text into lines of a comment.
func comment(text string) string {
	const width = 100
	var b strings.Builder
	line := "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
