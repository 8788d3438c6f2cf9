package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// completions tells the shells, for cmd and all commands below it, what may stand after a flag and as an argument:
// words where there are few, files and directories where the usage calls the value so, and otherwise nothing, because
// a name of the current directory is then never right.
func completions(cmd *cobra.Command) {
	if cmd.ValidArgsFunction == nil && cmd.ValidArgs == nil && !strings.Contains(cmd.Use, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		complete := completion(f)
		if complete == nil {
			return
		}
		// It fails for a flag that completes already, which is then to stay.
		_ = cmd.RegisterFlagCompletionFunc(f.Name, complete)
	})
	for _, sub := range cmd.Commands() {
		completions(sub)
	}
}

// completion is what completes the value of f; nil: the shell's own, which is files.
func completion(f *pflag.Flag) cobra.CompletionFunc {
	switch v := f.Value.(type) {
	case *choice:
		return cobra.FixedCompletions(v.words, cobra.ShellCompDirectiveNoFileComp)
	case *choices:
		return completeList(v.words...)
	}
	switch name, _ := pflag.UnquoteUsage(f); name {
	case "file", "socket":
		return nil
	case "directory":
		return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
	}
	return cobra.NoFileCompletions
}

// completeList completes the last item of a comma list with the words that are not in it yet.
func completeList(words ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var all []cobra.Completion
		for _, w := range words {
			if !strings.Contains(","+before, ","+w+",") {
				all = append(all, before+w)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completeWords tells the shells the usual words of a flag that takes others too.
func completeWords(cmd *cobra.Command, flag string, words ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, completeList(words...)); err != nil {
		panic(err) // there is no such flag: no input leads here
	}
}
