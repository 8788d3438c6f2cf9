// Manpages writes the manual pages of shiplog from the commands themselves: shiplog.1, and a page for each command.
//
//	go run ./scripts/manpages --version 1.2.0 --date 2026-11-26 DIR
//
// It is no part of the product, which does not grow by it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"shiplog/cli"
)

func main() {
	version := flag.String("version", "devel", "the `version` that the pages are of")
	date := flag.String("date", "", "the `day` they show, as 2026-11-26")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: manpages [--version V] [--date DAY] DIR")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), *version, *date); err != nil {
		fmt.Fprintf(os.Stderr, "manpages: %v\n", err)
		os.Exit(1)
	}
}

// write fills dir with all pages. An empty environment gives every default that depends on a machine as it is under
// the unit.
func write(dir, version, date string) error {
	nothing := func(string) string { return "" }
	root := (&cli.Program{Env: nothing, Config: cli.DefaultConfig}).Command()
	// The day as it is: mandoc reads none with escaped hyphens.
	footer := fmt.Sprintf("\"%s\" %s %s", strings.ReplaceAll(date, `"`, ""), quote("shiplog "+version), quote("shiplog manual"))
	return each(root, func(cmd *cobra.Command) error {
		return os.WriteFile(filepath.Join(dir, name(cmd)+".1"), []byte(page(cmd, footer)), 0o644)
	})
}

// each calls do for cmd and the commands below it that people use.
func each(cmd *cobra.Command, do func(*cobra.Command) error) error {
	if err := do(cmd); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := each(sub, do); err != nil {
			return err
		}
	}
	return nil
}

// name is the page's: shiplog-user-add.
func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }
