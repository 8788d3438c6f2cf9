package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shiplog/httpd"
)

func (p *Program) userCommand() *cobra.Command {
	return group("user", "Who may log in", p.userAdd(), p.userPasswd(), p.userRemove(), p.userList())
}

func (p *Program) userAdd() *cobra.Command {
	var dir, file string
	var u httpd.User
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an account",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			accounts, err := openAccounts(dir)
			if err != nil {
				return err
			}
			u.Name = args[0]
			if _, ok := accounts.User(u.Name); ok {
				return fmt.Errorf("user %s: %w", u.Name, httpd.ErrUserExists)
			}
			password, err := p.password(file)
			if err != nil {
				return err
			}
			return accounts.AddUser(u, password)
		},
	}
	p.dataFlag(cmd, &dir)
	passwordFlag(cmd, &file)
	cmd.Flags().BoolVar(&u.Admin, "admin", false, "may clear the log and see all events")
	cmd.Flags().StringVar(&u.Email, "email", "", "mail address")
	return cmd
}

func (p *Program) userPasswd() *cobra.Command {
	var dir, file string
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Set a new password; ends the account's sessions",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			if _, ok := accounts.User(args[0]); !ok {
				return fmt.Errorf("user %s: %w", args[0], httpd.ErrNoUser)
			}
			password, err := p.password(file)
			if err != nil {
				return err
			}
			return accounts.SetPassword(args[0], password)
		},
	}
	p.dataFlag(cmd, &dir)
	passwordFlag(cmd, &file)
	return cmd
}

func (p *Program) userRemove() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove an account with its tokens and keys",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			return accounts.RemoveUser(args[0])
		},
	}
	p.dataFlag(cmd, &dir)
	return cmd
}

func (p *Program) userList() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			accounts, err := httpd.LoadAccounts(filepath.Join(dir, "accounts.json"))
			if err != nil {
				return err
			}
			for _, u := range accounts.Users() {
				if out == "jsonl" {
					err = json.NewEncoder(p.Stdout).Encode(struct {
						Name  string `json:"name"`
						Admin bool   `json:"admin"`
						Email string `json:"email,omitempty"`
					}{u.Name, u.Admin, u.Email})
				} else {
					role := "user"
					if u.Admin {
						role = "admin"
					}
					_, err = fmt.Fprintf(p.Stdout, "%-5s  %s\n", role, appendVisible(nil, []byte(u.Name)))
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

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "read the password from the first line of this `file`; - is standard input (default: ask)")
}

// password reads a password: from a file, from a person at a terminal (twice), or the first line of
// standard input. It is never a flag's value, where every process of the box could read it.
func (p *Program) password(file string) (string, error) {
	if file != "" && file != "-" {
		return lineOf(file, "password")
	}
	if in, ok := p.Stdin.(*os.File); ok && file == "" && isTerminal(in) {
		first, err := p.ask(in, "Password: ")
		if err != nil {
			return "", err
		}
		second, err := p.ask(in, "Again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", errors.New("the two passwords differ")
		}
		return first, nil
	}
	return firstLine(p.Stdin, "password")
}

func (p *Program) ask(in *os.File, prompt string) (string, error) {
	fmt.Fprint(p.Stderr, prompt)
	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(p.Stderr)
	if err == nil && len(b) == 0 {
		err = errors.New("the password is empty")
	}
	return string(b), err
}

// lineOf reads what is called what from the first line of a file.
func lineOf(file, what string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return firstLine(f, what)
}

// firstLine reads what is called what from the first line of r.
func firstLine(r io.Reader, what string) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("the %s is empty", what)
	}
	return line, nil
}
