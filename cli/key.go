package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"shiplog/httpd"
)

func (p *Program) keyCommand() *cobra.Command {
	return group("key", "Access keys for requests that are signed", p.keyAdd(), p.keyList(), p.keyRemove())
}

func (p *Program) keyAdd() *cobra.Command {
	var dir, file string
	var k httpd.AccessKey
	cmd := &cobra.Command{
		Use:   "add --user NAME",
		Short: "Make an access key and print it with its secret, once",
		Long: `Make an access key and print its id (AK) and its secret (SK) as one line on standard output. A
running server knows it at once. The secret has to be kept as it is, since signatures are made with it: it is
in DATA/accounts.json, which only shiplog's user may read.

  shiplog key add --user alice --project p1 | { read -r AK SK; ... }`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if k.User == "" {
				return usagef("--user is missing: an access key stands for somebody")
			}
			accounts, err := openAccounts(dir)
			if err != nil {
				return err
			}
			if k.SK, err = p.secret(file); err != nil {
				return err
			}
			made, err := accounts.AddKey(k)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(p.Stdout, made.AK, made.SK); err != nil {
				return fmt.Errorf("%w; the key was made but not shown: remove it with key rm %s", err, made.AK)
			}
			fmt.Fprintf(p.Stderr, "access key %s of %s: id and secret, shown this once\n", made.AK, appendVisible(nil, []byte(k.User)))
			if k.Project == "" {
				fmt.Fprintln(p.Stderr, "note: without --project it may see no project; HSS requests name one")
			}
			return nil
		},
	}
	p.dataFlag(cmd, &dir)
	flags := cmd.Flags()
	flags.StringVar(&k.User, "user", "", "`name` of the user it stands for")
	flags.StringVar(&k.Project, "project", "", "`id` of the project it is for")
	flags.StringVar(&k.AK, "ak", "", "`id` of the key, to take over one that exists elsewhere (default: make one)")
	secretFlag(cmd, &file)
	flags.SortFlags = false
	return cmd
}

func (p *Program) keyList() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the access keys, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			for _, k := range accounts.Keys() {
				if out == "jsonl" {
					err = json.NewEncoder(&visible{w: p.Stdout}).Encode(struct {
						AK      string `json:"ak"`
						User    string `json:"user"`
						Project string `json:"project,omitempty"`
					}{k.AK, k.User, k.Project})
				} else {
					line := fmt.Sprintf("%-20s  %-12s  %s", k.AK, k.User, orDash(k.Project))
					_, err = fmt.Fprintf(p.Stdout, "%s\n", appendVisible(nil, []byte(line)))
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	p.dataFlag(cmd, &dir)
	choiceFlag(cmd.Flags(), &out, "output", "o", "output format", "short", "jsonl")
	return cmd
}

func (p *Program) keyRemove() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rm AK",
		Short: "Remove an access key",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			return accounts.RemoveKey(args[0])
		},
	}
	p.dataFlag(cmd, &dir)
	return cmd
}
