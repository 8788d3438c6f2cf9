package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shiplog/httpd"
)

func (p *Program) tokenCommand() *cobra.Command {
	return group("token", "Tokens for the APIs that take one", p.tokenAdd(), p.tokenList(), p.tokenRemove())
}

func (p *Program) tokenAdd() *cobra.Command {
	var dir, file string
	var t httpd.Token
	cmd := &cobra.Command{
		Use:   "add --user NAME",
		Short: "Make a token and print it, once",
		Long: `Make a token and print it on standard output, once: only its hash is kept. A running server
knows it at once. The user need not have an account; a token of one that has never gives more than the
account in the Container Station API, where it logs in as sid.

  TOKEN=$(shiplog token add --user alice --scope repo:admin --namespace library --expires 90d)`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if t.User == "" {
				return usagef("--user is missing: a token stands for somebody")
			}
			accounts, err := openAccounts(dir)
			if err != nil {
				return err
			}
			own, err := p.secret(file)
			if err != nil {
				return err
			}
			made, id, err := accounts.AddToken(t, own)
			if err != nil {
				return err
			}
			if own == "" {
				if _, err := fmt.Fprintln(p.Stdout, made); err != nil {
					return fmt.Errorf("%w; the token was made but not shown: remove it with token rm %s", err, id)
				}
			}
			p.tokenNotes(accounts, t, id, own == "")
			return nil
		},
	}
	p.dataFlag(cmd, &dir)
	flags := cmd.Flags()
	flags.StringVar(&t.User, "user", "", "`name` of the user it stands for")
	choicesFlag(flags, &t.Scopes, "scope", "what it may do in the Quay API", httpd.TokenScopes()...)
	flags.StringSliceVar(&t.Namespaces, "namespace", nil, "`namespace` or namespace/repository that it may see in the Quay API besides its user's; can be given again")
	choicesFlag(flags, &t.Roles, "role", "what it may do in the other APIs", httpd.TokenRoles()...)
	flags.StringVar(&t.Project, "project", "", "`id` of the project it is for")
	flags.StringVar(&t.UserID, "user-id", "", "`id` of the user in the journal API")
	flags.StringVar(&t.DomainID, "domain-id", "", "`id` of the user's domain there")
	flags.Var(until{&t.Expires, time.Now}, "expires", "when it ends: 90d, 12h or a date; default never")
	secretFlag(cmd, &file)
	flags.SortFlags = false
	return cmd
}

// tokenNotes tells what was made, where it does not get in the way of a script that takes the token.
func (p *Program) tokenNotes(accounts *httpd.Accounts, t httpd.Token, id string, made bool) {
	kept := "its secret is the one of the file"
	if made {
		kept = "shown this once; only its hash is kept"
	}
	fmt.Fprintf(p.Stderr, "token %s of %s, %s: %s\n", id, appendVisible(nil, []byte(t.User)), expiry(t.Expires, time.Now()), kept)
	if _, ok := accounts.User(t.User); !ok {
		fmt.Fprintf(p.Stderr, "note: there is no account of that name; the token works without one\n")
	}
	if len(t.Scopes) == 0 && len(t.Roles) == 0 {
		fmt.Fprintf(p.Stderr, "note: without --scope and --role it is only good for the login of the Container Station API\n")
	}
}

func (p *Program) tokenList() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			for _, t := range accounts.Tokens() {
				if err := p.printToken(t, out); err != nil {
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

func (p *Program) printToken(t httpd.ListedToken, out string) error {
	if out == "jsonl" {
		line := struct {
			ID         string     `json:"id"`
			User       string     `json:"user"`
			UserID     string     `json:"user_id,omitempty"`
			DomainID   string     `json:"domain_id,omitempty"`
			Project    string     `json:"project,omitempty"`
			Scopes     []string   `json:"scopes,omitempty"`
			Namespaces []string   `json:"namespaces,omitempty"`
			Roles      []string   `json:"roles,omitempty"`
			Expires    *time.Time `json:"expires,omitempty"`
		}{t.ID, t.User, t.UserID, t.DomainID, t.Project, t.Scopes, t.Namespaces, t.Roles, nil}
		if !t.Expires.IsZero() {
			line.Expires = &t.Expires
		}
		return json.NewEncoder(&visible{w: p.Stdout}).Encode(line)
	}
	rights := strings.Join(append(append(t.Scopes[:len(t.Scopes):len(t.Scopes)], t.Roles...), t.Namespaces...), ",")
	line := fmt.Sprintf("%s  %-20s  %-12s  %-12s  %s", t.ID, expiry(t.Expires, time.Now()), t.User, orDash(t.Project), orDash(rights))
	_, err := fmt.Fprintf(p.Stdout, "%s\n", appendVisible(nil, []byte(line)))
	return err
}

// expiry tells when a credential ends.
func expiry(t, now time.Time) string {
	switch {
	case t.IsZero():
		return "never expires"
	case !t.After(now):
		return "expired " + t.UTC().Format(time.DateOnly)
	}
	return "until " + t.UTC().Format(time.DateOnly)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (p *Program) tokenRemove() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rm ID",
		Short: "Remove a token; ends the sessions opened with it",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			return accounts.RemoveToken(args[0])
		},
	}
	p.dataFlag(cmd, &dir)
	return cmd
}

func secretFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "secret-file", "", "take the secret from the first line of this `file`; - is standard input (default: make one)")
}

// secret reads a secret that somebody brings along; empty when he does not.
func (p *Program) secret(file string) (string, error) {
	switch file {
	case "":
		return "", nil
	case "-":
		return firstLine(p.Stdin, "secret")
	}
	return lineOf(file, "secret")
}
