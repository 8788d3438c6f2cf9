package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"shiplog/httpd"
)

func (p *Program) accountCommand() *cobra.Command {
	var dir string
	apply := &cobra.Command{
		Use:   "apply FILE|-",
		Short: "Add or replace the users, tokens and access keys of a JSON file",
		Long: `Add or replace the users, tokens and access keys that a JSON file names; others stay as they
are. A running server sees the change at once. Passwords and tokens are stored hashed.

  {"qnap_users": [{"name": "admin", "password": "...", "admin": true}], "tokens": [], "access_keys": []}`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			in, _, err := p.openInput(args)
			if err != nil {
				return err
			}
			defer in.Close()
			accounts, err := openAccounts(dir)
			if err != nil {
				return err
			}
			done, err := accounts.Apply(in)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(p.Stdout, "{\"users\":%d,\"tokens\":%d,\"access_keys\":%d}\n", done.Users, done.Tokens, done.AccessKeys)
			return err
		},
	}
	p.dataFlag(apply, &dir)
	return group("account", "Users, tokens and access keys from a file", apply)
}

// openAccounts opens the accounts of a data directory to add to them, and makes the directory when it is
// not there.
func openAccounts(dir string) (*httpd.Accounts, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	return httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
}
