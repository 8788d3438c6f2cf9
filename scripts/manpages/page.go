package main

import (
	_ "embed"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// overview is what shiplog.1 alone has: what all commands have in common.
//
//go:embed overview.roff
var overview string

// page is the manual page of cmd in roff's man macros; footer is what .TH wants behind name and section.
func page(cmd *cobra.Command, footer string) string {
	var b strings.Builder
	b.WriteString(".TH " + quote(strings.ToUpper(name(cmd))) + " 1 " + footer + "\n.nh\n.ad l\n")
	b.WriteString(".SH NAME\n" + escape(name(cmd)) + ` \- ` + escape(lowerFirst(cmd.Short)) + "\n")
	b.WriteString(".SH SYNOPSIS\n" + synopsis(cmd) + "\n")
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(describe(cmd)))
	b.WriteString(commands(cmd))
	b.WriteString(options(cmd))
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n" + paragraphs(cmd.Example))
	}
	if !cmd.HasParent() {
		b.WriteString(overview)
	}
	b.WriteString(seeAlso(cmd))
	return b.String()
}

// describe is the long text, or the sentence that the short one stands for.
func describe(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return cmd.Short + "."
}

// synopsis is the command in bold, and what follows as it is written.
func synopsis(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return `\fB` + escape(cmd.CommandPath()) + `\fR \fICOMMAND\fR ...`
	}
	_, args, _ := strings.Cut(cmd.Use, " ")
	line := `\fB` + escape(cmd.CommandPath()) + `\fR`
	if args != "" {
		line += " " + escape(args)
	}
	return line + " [flags]"
}

// commands lists what stands below cmd, each with its page.
func commands(cmd *cobra.Command) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			b.WriteString(".TP\n" + `\fB` + escape(name(sub)) + `\fR(1)` + "\n" + text(sub.Short) + "\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return ".SH COMMANDS\n" + b.String()
}

// options lists the flags in the order of --help.
func options(cmd *cobra.Command) string {
	var b strings.Builder
	cmd.InitDefaultHelpFlag()
	flags := cmd.LocalFlags()
	flags.SortFlags = cmd.Flags().SortFlags
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			b.WriteString(`\fB` + escape("-"+f.Shorthand) + `\fR, `)
		}
		b.WriteString(`\fB` + escape("--"+f.Name) + `\fR`)
		if value != "" {
			b.WriteString(` \fI` + escape(value) + `\fR`)
		}
		b.WriteString("\n" + text(usage+shownDefault(f)) + "\n")
	})
	return ".SH OPTIONS\n" + b.String()
}

// shownDefault is empty for a default that says nothing: off, none, or an empty list.
func shownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "0", "[]", "0s":
		return ""
	}
	return " (default " + f.DefValue + ")"
}

// seeAlso names the pages of the commands above, and of the programs that drive the services.
func seeAlso(cmd *cobra.Command) string {
	var pages []string
	for up := cmd.Parent(); up != nil; up = up.Parent() {
		pages = append([]string{`\fB` + escape(name(up)) + `\fR(1)`}, pages...)
	}
	pages = append(pages, `\fBsystemctl\fR(1)`, `\fBjournalctl\fR(1)`)
	return ".SH SEE ALSO\n" + strings.Join(pages, ",\n") + "\n"
}
