package agent

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode"
)

// redacted stands for what must never reach the disk. Names are kept, so that a reader sees that something
// was set, and what.
const redacted = "[redacted]"

// secretWords are the parts of a name that make its value a secret. A name is taken apart at everything that
// is no letter or digit and at changes of case: DB_PASSWORD, dbPassword and db.password are the same.
var secretWords = map[string]bool{
	"pass": true, "passwd": true, "password": true, "passwords": true, "passphrase": true, "pwd": true, "pw": true,
	"secret": true, "secrets": true, "token": true, "tokens": true, "key": true, "keys": true, "apikey": true,
	"auth": true, "authorization": true, "cred": true, "creds": true, "credential": true, "credentials": true,
	"cookie": true, "privatekey": true, "accesskey": true, "secretkey": true, "sas": true, "bearer": true,
}

// secretParts make a name secret wherever they stand in it: mysqlpassword, AUTHTOKEN.
var secretParts = []string{"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "privatekey", "accesskey"}

// secretName tells whether the value of the member, label, variable or flag called name is a secret.
func secretName(name string) bool {
	low := strings.ToLower(name)
	for _, p := range secretParts {
		if strings.Contains(low, p) {
			return true
		}
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && isAlnum(name[i]) && !(i > start && wordBegins(name, i)) {
			continue
		}
		if i > start && secretWords[low[start:i]] {
			return true
		}
		start = i
		if i < len(name) && !isAlnum(name[i]) {
			start++
		}
	}
	return false
}

// wordBegins tells whether the letter at i begins a word after another: the P of dbPass and of SSHPass.
func wordBegins(s string, i int) bool {
	return isUpper(s[i]) && (!isUpper(s[i-1]) || i+1 < len(s) && 'a' <= s[i+1] && s[i+1] <= 'z')
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isAlnum(c byte) bool {
	return isUpper(c) || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c >= 0x80
}

// Values that are secrets under any name.
var (
	reJWT      = regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(\.[A-Za-z0-9_-]*)?`)
	rePEM      = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*(PRIVATE KEY|CERTIFICATE|MESSAGE)[A-Z ]*-----(?s:.*?)(-----END [A-Z0-9 ]*-----|\z)`)
	reUserinfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'@?#]+@`)
	reCloudKey = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bsk-[A-Za-z0-9_-]{20,}`)
	reAuthHead = regexp.MustCompile(`(?i)\b(bearer|basic|authorization:|x-[a-z-]*(?:key|token|auth|secret)[a-z-]*:|cookie:)(\s*)(?:(bearer|basic|token)\s+)?[^\s"']+`)
)

// tokenMarks are what reCloudKey cannot match without: most values have none, and a search is quicker.
var tokenMarks = []string{"AKIA", "ASIA", "gh", "glpat-", "xox", "sk-"}

// redactValue replaces the secrets that can be told by their looks and keeps the rest.
func redactValue(s string) string {
	if len(s) < 6 {
		return s
	}
	if strings.Contains(s, "eyJ") {
		s = reJWT.ReplaceAllString(s, redacted)
	}
	if strings.Contains(s, "-----BEGIN") {
		s = rePEM.ReplaceAllString(s, redacted)
	}
	if strings.Contains(s, "://") {
		s = reUserinfo.ReplaceAllString(s, "${1}"+redacted+"@")
	}
	for _, mark := range tokenMarks {
		if strings.Contains(s, mark) {
			return reCloudKey.ReplaceAllString(s, redacted)
		}
	}
	return s
}

// redactPair returns the value to keep of a name and its value.
func redactPair(name, value string) string {
	if value != "" && secretName(name) {
		return redacted
	}
	return redactText(value)
}

// redactText is for a value that may be a command line or carry assignments as one.
func redactText(s string) string {
	if strings.ContainsAny(s, " =\t\n") {
		return redactCommand(s)
	}
	return redactValue(s)
}

// redactHeaders replaces the values of HTTP headers that carry secrets, and what follows bearer or basic.
func redactHeaders(s string) string {
	if !strings.ContainsAny(s, ": ") {
		return s
	}
	return reAuthHead.ReplaceAllString(s, "${1}${2}"+redacted)
}

// redactCommand keeps a command line but for the values of secret flags, variables and headers:
// --password x, --token=x, -pSECRET of the mysql family, FOO_SECRET=x, "Authorization: Bearer x".
func redactCommand(s string) string { return redactWords(s, 0) }

// maxQuoted bounds how deep commands are quoted in commands; what is deeper is taken for a secret as a whole.
const maxQuoted = 4

func redactWords(s string, depth int) string {
	s = redactValue(s)
	s = redactHeaders(s)
	var out strings.Builder
	out.Grow(len(s))
	var args argState
	last := [2]int{len(s) - strings.LastIndexByte(s, '"'), len(s) - strings.LastIndexByte(s, '\'')} // from the end
	for len(s) > 0 {
		i := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) })
		if i < 0 {
			i = len(s)
		}
		out.WriteString(s[:i])
		s = s[i:]
		word := s[:wordEnd(s, last)]
		s = s[len(word):]
		if word != "" {
			out.WriteString(args.redact(word, depth, false))
		}
	}
	return out.String()
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
	hide  bool // it is the value of a secret flag
	mysql bool // a client of the mysql family: -p is followed by the password
}

// redact handles one word of a command line. whole: it is an element of a list, in which spaces need no quotes.
func (a *argState) redact(word string, depth int, whole bool) string {
	bare := strings.TrimLeft(word, `"'`)
	lead := word[:len(word)-len(bare)]
	if base := bare[strings.LastIndexByte(bare, '/')+1:]; strings.HasPrefix(base, "mysql") || strings.HasPrefix(base, "mariadb") || base == "sshpass" {
		a.mysql = true
	}
	hide := a.hide
	a.hide = false
	if hide && !strings.HasPrefix(bare, "-") {
		return redacted
	}
	if a.mysql && len(bare) > 2 && strings.HasPrefix(bare, "-p") && !strings.HasPrefix(bare, "-port") {
		return lead + "-p" + redacted
	}
	if name, value, ok := cutAssign(bare); ok && value != "" && !strings.ContainsAny(name, " \t\n") && secretName(name) {
		space := value[:len(value)-len(strings.TrimLeftFunc(value, unicode.IsSpace))]
		if lead != "" && strings.HasSuffix(value, lead[len(lead)-1:]) {
			return lead + bare[:len(name)+1] + space + redacted + lead[len(lead)-1:]
		}
		return lead + bare[:len(name)+1] + space + redacted
	}
	switch spaced := strings.ContainsFunc(word, unicode.IsSpace); {
	case spaced && whole:
		return redactWords(word, depth+1)
	case spaced:
		return redactQuoted(word, depth)
	}
	a.hide = strings.HasPrefix(bare, "-") && secretName(strings.TrimLeft(bare, "-")) && !strings.ContainsAny(bare, "=:/")
	return word
}

// redactQuoted handles a word with spaces in it: what is quoted may be a command.
func redactQuoted(word string, depth int) string {
	if depth >= maxQuoted {
		return redacted
	}
	i := strings.IndexAny(word, `"'`)
	if i < 0 {
		return redactWords(word, depth+1)
	}
	inner, tail := word[i+1:], ""
	if n := len(inner); n > 0 && inner[n-1] == word[i] {
		inner, tail = inner[:n-1], inner[n-1:]
	}
	return word[:i+1] + redactWords(inner, depth+1) + tail
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
		out[i] = state.redact(redactHeaders(redactValue(a)), 0, true)
	}
	return out
}

// secretMaps are members whose values are secrets whatever they are called: variables of a process and the
// websocket secrets of an operation.
var secretMaps = map[string]bool{"environment": true, "env": true, "fds": true, "variables": true}

// redactJSON returns raw, an event as an engine sent it, without secrets. Order, numbers and unknown members
// are kept. Of broken JSON the part before the fault comes back, since what follows cannot be told to be a
// value or a name; of other text everything but what looks like a secret.
func redactJSON(raw []byte) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var out bytes.Buffer
	out.Grow(len(raw))
	err := redactAny(dec, &out, "", false, 0)
	switch {
	case err == nil && !dec.More():
		return out.Bytes()
	case bytes.ContainsAny(raw, "{["):
		return append(out.Bytes(), "[unreadable]"...)
	}
	return []byte(redactCommand(string(raw)))
}
