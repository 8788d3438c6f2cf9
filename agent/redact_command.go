package agent

import (
	"slices"
	"strings"
	"unicode"
)

// redactCommand keeps a command line but for the values of secret flags, variables and headers:
// --password x, --token=x, -pSECRET of the mysql family, FOO_SECRET=x, "Authorization: Bearer x".
func redactCommand(s string) string { return redactWords(s, 0, false) }

// redactJoined is redactCommand for a list of arguments that was joined with spaces and without quotes, as
// Docker tells it: a secret may have spaces in it, so what follows one is hidden too, up to the next flag,
// assignment or operator of a shell.
func redactJoined(s string) string { return redactWords(s, 0, true) }

// maxQuoted bounds how deep commands are quoted in commands; what is deeper is taken for a secret as a whole.
const maxQuoted = 4

func redactWords(s string, depth int, joined bool) string {
	s = redactValue(s)
	s = redactPhrases(redactHeaders(s))
	var out strings.Builder
	out.Grow(len(s))
	var args argState
	last := [2]int{len(s) - strings.LastIndexByte(s, '"'), len(s) - strings.LastIndexByte(s, '\'')} // from the end
	for len(s) > 0 {
		i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) })
		if i < 0 {
			i = len(s)
		}
		space := s[:i]
		s = s[i:]
		word := s[:wordEnd(s, last)]
		s = s[len(word):]
		if joined && args.open && word != "" && !endsValue(word) {
			args.open = !strings.HasSuffix(word, ";")
			continue
		}
		args.open = false
		out.WriteString(space)
		if word != "" {
			out.WriteString(args.redact(word, depth, false))
		}
	}
	return out.String()
}

// endsValue tells whether a word cannot well be part of a secret that began before it.
func endsValue(word string) bool {
	switch word {
	case "&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1":
		return true
	}
	name, _, ok := cutAssign(word)
	return len(word) > 1 && word[0] == '-' || ok && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// wordEnd is where the word at the start of s ends. Quotes keep spaces together; an apostrophe that none
// follows quotes nothing. last holds how far from the end of s the last quotes of each kind are.
func wordEnd(s string, last [2]int) int {
	var quote rune
	for i, r := range s {
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' && len(s)-i > last[0], r == '\'' && len(s)-i > last[1]:
			quote = r
		case quote == 0 && unicode.IsSpace(r):
			return i
		}
	}
	return len(s)
}

// argState is what the words of a command so far say about the next.
type argState struct {
	hide  bool   // it is the value of a secret flag
	user  string // it is a user and a password with this between them, as in user:password
	maybe bool   // it follows "token:" in a text: a secret unless it is a plain word
	progs uint32 // the programs that were named so far, by their places in programs
	login bool   // and whether the word login was
	open  bool   // the word before was a secret without quotes: this one may belong to it
}

// redact handles one word of a command line. whole: it is an element of a list, in which spaces need no quotes.
func (a *argState) redact(word string, depth int, whole bool) string {
	bare := strings.TrimLeft(word, `"'`)
	lead := word[:len(word)-len(bare)]
	was := *a
	a.note(bare)
	a.hide, a.user, a.maybe = false, "", false
	switch {
	case was.hide && !strings.HasPrefix(bare, "-"), was.maybe && strings.ContainsAny(bare, "0123456789"):
		a.open = lead == ""
		return redacted
	case was.user != "":
		return lead + hideUser(bare, was.user)
	}
	if text, ok := a.flag(bare); ok {
		a.open = lead == ""
		return lead + text
	}
	if name, value, ok := cutAssign(bare); ok && value != "" && !strings.ContainsAny(name, " \t\n") && secretName(name) && !isReference(bare, name, value) {
		space := value[:len(value)-len(strings.TrimLeftFunc(value, unicode.IsSpace))]
		if lead != "" && strings.HasSuffix(value, lead[len(lead)-1:]) {
			return lead + bare[:len(name)+1] + space + redacted + lead[len(lead)-1:]
		}
		a.open = lead == "" && !strings.HasSuffix(value, `"`) && !strings.HasSuffix(value, "'") && !strings.HasSuffix(value, ";")
		return lead + bare[:len(name)+1] + space + redacted
	}
	switch spaced := strings.ContainsFunc(word, unicode.IsSpace); {
	case spaced && whole:
		return redactWords(word, depth+1, false)
	case spaced:
		return redactQuoted(word, depth)
	}
	a.open = strings.HasSuffix(bare, "="+redacted) // --env=TOKEN=x
	a.expect(bare)
	return word
}

// expect looks at a word that is no secret for what it says about the next.
func (a *argState) expect(bare string) {
	if strings.HasPrefix(bare, "-") {
		a.hide = a.hide || a.user == "" && secretName(strings.TrimLeft(bare, "-")) && !strings.ContainsAny(bare, "=:/")
		return
	}
	if name, ok := strings.CutSuffix(bare, ":"); ok && !strings.ContainsAny(name, "/=:") {
		a.hide = isPassword(name)
		a.maybe = !a.hide && secretName(name)
	}
}

// isPassword tells whether a name is of a password, so that what follows it is one, whatever it looks like.
func isPassword(name string) bool {
	low := strings.ToLower(name)
	return slices.ContainsFunc([]string{"password", "passwd", "passphrase", "pwd"}, func(p string) bool { return strings.HasSuffix(low, p) })
}

// isReference tells an image or an address from name:secret: token-service:1.2, auth-proxy:8080/x, x/key:latest.
func isReference(bare, name, value string) bool {
	if bare[len(name)] != ':' || isPassword(name) {
		return false
	}
	if strings.Contains(name, "/") || value == "latest" {
		return true
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(value, "v"), "/")
	number, _, _ = strings.Cut(number, "-")
	return number != "" && strings.Trim(number, "0123456789.") == "" && len(number) < 12
}

// redactQuoted handles a word with spaces in it: what is quoted may be a command.
func redactQuoted(word string, depth int) string {
	if depth >= maxQuoted {
		return redacted
	}
	i := strings.IndexAny(word, `"'`)
	if i < 0 {
		return redactWords(word, depth+1, false)
	}
	inner, tail := word[i+1:], ""
	if n := len(inner); n > 0 && inner[n-1] == word[i] {
		inner, tail = inner[:n-1], inner[n-1:]
	}
	return word[:i+1] + redactWords(inner, depth+1, false) + tail
}

// cutAssign splits NAME=value, --name=value, name:value at the first = or :.
func cutAssign(s string) (name, value string, ok bool) {
	i := strings.IndexAny(s, "=:")
	if i <= 0 || strings.HasPrefix(s[i:], "://") {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// redactArgs is redactCommand for a command that is still a list.
func redactArgs(args []string) []string {
	out := make([]string, len(args))
	var state argState
	for i, a := range args {
		out[i] = state.redact(redactPhrases(redactHeaders(redactValue(a))), 0, true)
	}
	return out
}
