package agent

import (
	"regexp"
	"strings"
)

// program is one whose short flags carry secrets.
type program struct {
	names []string // how its name begins
	after string   // the subcommand without which the flags mean something else; "": none
	flags []string
	joins bool   // the value may stand in the same word
	apart bool   // or in the next
	user  string // it is a user and a password, with this between them, and only the latter is hidden
	quiet string // the letters of flags without a value, which may stand before the flag in the same word
}

// programs has less than 32 of them. argState.progs has a bit for each.
var programs = []program{
	{names: []string{"mysql", "mariadb"}, flags: []string{"-p"}, joins: true},
	{names: []string{"sshpass"}, flags: []string{"-p"}, joins: true, apart: true},
	{names: []string{"redis-cli", "valkey-cli", "keydb-cli"}, flags: []string{"-a"}, apart: true},
	{names: []string{"mongo"}, flags: []string{"-p"}, joins: true, apart: true},
	{names: []string{"ldap"}, flags: []string{"-w"}, apart: true},
	{names: []string{"curl", "wget"}, flags: []string{"-u", "-U", "--user", "--proxy-user"}, apart: true, joins: true, user: ":",
		quiet: "#0123469BGIJLNOSafgijklnpqsv"},
	{names: []string{"smb", "rpcclient"}, flags: []string{"-U", "--user"}, apart: true, joins: true, user: "%"},
	{names: []string{"docker", "podman", "nerdctl", "buildah", "skopeo", "crane", "oras", "helm"}, after: "login", flags: []string{"-p"}, joins: true, apart: true},
	{names: []string{"openssl"}, flags: []string{"-k", "-K"}, apart: true},
	{names: []string{"zip", "unzip"}, flags: []string{"-P"}, joins: true, apart: true},
	{names: []string{"7z", "rar", "unrar"}, flags: []string{"-p", "-hp"}, joins: true},
	{names: []string{"influx"}, flags: []string{"-t"}, apart: true},
}

// note looks whether a word names a program. One that was named before stays: mysql -h mongo -pSECRET.
func (a *argState) note(word string) {
	base := word[strings.LastIndexByte(word, '/')+1:]
	for i := range programs {
		for _, name := range programs[i].names {
			if strings.HasPrefix(base, name) {
				a.progs |= 1 << i
			}
		}
	}
	a.login = a.login || a.progs != 0 && word == "login"
}

// flag handles a flag of the programs that were named.
func (a *argState) flag(bare string) (string, bool) {
	if a.progs == 0 || !strings.HasPrefix(bare, "-") || strings.HasPrefix(bare, "-port") {
		return "", false
	}
	for i := range programs {
		p := &programs[i]
		if a.progs&(1<<i) == 0 || p.after != "" && !a.login {
			continue
		}
		for _, f := range p.flags {
			if text, ok := a.flagOf(p, f, bare); ok {
				return text, true
			}
		}
	}
	return "", false
}

// flagOf handles bare if it is the flag f of p, or has it among others.
func (a *argState) flagOf(p *program, f, bare string) (string, bool) {
	value, ok := strings.CutPrefix(bare, f)
	if !ok && p.quiet != "" && bare[1:] != "" && bare[1] != '-' && f[1] != '-' { // -sSu
		value, ok = strings.CutPrefix("-"+strings.TrimLeft(bare[1:], p.quiet), f)
	}
	lead := bare[:len(bare)-len(value)]
	switch {
	case !ok:
	case value == "" && p.apart:
		a.hide, a.user = p.user == "", p.user
	case value != "" && p.joins && p.user != "":
		if strings.HasPrefix(f, "--") && value[0] != '=' {
			return "", false
		}
		return lead + hideUser(value, p.user), true
	case value != "" && p.joins:
		return lead + redacted, true
	}
	return "", false
}

// hideUser keeps the user of user:password, where between is the colon.
func hideUser(s, between string) string {
	name, pass, ok := strings.Cut(s, between)
	if !ok || pass == "" {
		return s
	}
	return name + between + redacted
}

// Secrets that follow words, or stand before one.
var (
	reSQL     = regexp.MustCompile(`(?i)\b((?:password|identified\s+(?:with\s+\S+\s+)?(?:by|as))(?:\s+[=(]?|[=(])\s*)(\\*)(?:'[^']*'?|"[^"\\]*)`)
	reNewPass = regexp.MustCompile(`\b([A-Za-z_][A-Za-z0-9_.-]*:)([^\s:|'"\\]+)`)
)

// redactPhrases replaces the passwords of SQL's CREATE USER and ALTER USER, and what chpasswd is given.
func redactPhrases(s string) string {
	if strings.ContainsAny(s, `'"`) {
		s = reSQL.ReplaceAllStringFunc(s, redactSQL)
	}
	if strings.Contains(s, "chpasswd") {
		s = reNewPass.ReplaceAllString(s, "${1}"+redacted)
	}
	return s
}

// redactSQL keeps the quotes, so that what is redacted twice stays the same.
func redactSQL(m string) string {
	p := reSQL.FindStringSubmatch(m)
	if p == nil {
		return m
	}
	quoted := m[len(p[1])+len(p[2]):]
	end := ""
	if len(quoted) > 1 && quoted[len(quoted)-1] == quoted[0] {
		end = quoted[:1]
	}
	return p[1] + p[2] + quoted[:1] + redacted + end
}
