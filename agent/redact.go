package agent

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
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
	"cookie": true, "basicauth": true, "digestauth": true, "jwt": true, "psk": true, "passcode": true, "signature": true, "privatekey": true, "accesskey": true, "secretkey": true, "sas": true, "bearer": true,
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
	reHash     = regexp.MustCompile(`\${1,2}(2[abxy]|apr1|[1567]|g?y|argon2(?:i|d|id)|scrypt|pbkdf2-sha[0-9]+)\${1,2}[^\s"',;]{8,}`)
	reBearer   = regexp.MustCompile(`(?i)\b(bearer\s+)[^\s"']+`)
	reBasic    = regexp.MustCompile(`(?i)\b(basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})`)
	reAuthHead = regexp.MustCompile(`(?i)\b(authorization:|x-[a-z-]*(?:key|token|auth|secret)[a-z-]*:|cookie:)(\s*)(?:(?:bearer|basic|token|digest|negotiate|apikey|[a-z0-9]+-hmac-[a-z0-9]+)\s+)?(?:[^\s"']*[;,]\s+)*[^\s"']+`)
	reMember   = regexp.MustCompile(`(\\*["'])([^"'\\]{1,128})(\\*["']\s*:\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|\\+"[^"\\]*|[0-9][0-9.eE+-]*)`)
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
	if strings.Contains(s, "$") {
		s = reHash.ReplaceAllString(s, redacted)
	}
	if strings.Contains(s, ":") && strings.ContainsAny(s, `"'`) {
		s = reMember.ReplaceAllStringFunc(s, redactTextMember)
	}
	if strings.Contains(s, "=") {
		s = redactInner(s)
	}
	for _, mark := range tokenMarks {
		if strings.Contains(s, mark) {
			return reCloudKey.ReplaceAllStringFunc(s, func(key string) string {
				if strings.HasPrefix(key, "sk-") && !strings.ContainsAny(key, "0123456789") {
					return key // sk-learn-notebook-server is a name
				}
				return redacted
			})
		}
	}
	return s
}

// redactTextMember handles a member of JSON, or of what looks like it, in a text: "password":"x".
func redactTextMember(m string) string {
	p := reMember.FindStringSubmatch(m)
	if p == nil || !secretName(p[2]) {
		return m
	}
	value := p[4]
	lead := value[:len(value)-len(strings.TrimLeft(value, `\`))]
	value = value[len(lead):]
	switch quote := value[:1]; {
	case quote != `"` && quote != "'":
		return p[1] + p[2] + p[3] + `"` + redacted + `"`
	case lead != "" || len(value) < 2 || !strings.HasSuffix(value, quote): // its end is not part of the match
		return p[1] + p[2] + p[3] + lead + quote + redacted
	default:
		return p[1] + p[2] + p[3] + quote + redacted + quote
	}
}

// redactInner handles assignments within a word: ?token=x&a=1, username=u,password=x, --env=TOKEN=x.
func redactInner(s string) string {
	var out strings.Builder
	from := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '=' {
			continue
		}
		start := i
		for start > from && (isAlnum(s[start-1]) || strings.IndexByte("_.-", s[start-1]) >= 0) {
			start--
		}
		if start == from || strings.IndexByte("?&;,=|([{", s[start-1]) < 0 || !secretName(s[start:i]) {
			continue
		}
		end := i + 1 + innerEnd(s[i+1:])
		if end == i+1 {
			continue
		}
		out.WriteString(s[from : i+1])
		out.WriteString(redacted)
		from, i = end, end-1
	}
	if from == 0 {
		return s
	}
	return out.String() + s[from:]
}

// innerEnd is where a value ends: at a space, a quote, & or ;, or at a comma before another name.
func innerEnd(s string) int {
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', '\n', '\r', '"', '\'', '&', ';':
			return i
		case ',':
			name := strings.TrimLeft(s[i+1:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
			if len(name) < len(s[i+1:]) && strings.HasPrefix(name, "=") {
				return i
			}
		}
	}
	return len(s)
}

// redactPair returns the value to keep of a name and its value.
func redactPair(name, value string) string {
	if value != "" && secretName(name) {
		return redacted
	}
	return redactText(value)
}

// redactText is for a value that may be a command line, carry assignments as one, or be JSON.
func redactText(s string) string {
	if t := strings.TrimSpace(s); len(t) > 1 && (t[0] == '{' || t[0] == '[') && json.Valid([]byte(t)) {
		return string(redactSame([]byte(s)))
	}
	if strings.ContainsAny(s, " =\t\n") {
		return redactCommand(s)
	}
	return redactValue(s)
}

// redactHeaders replaces the values of HTTP headers that carry secrets, and what follows bearer or basic.
func redactHeaders(s string) string {
	if strings.Contains(s, ":") {
		s = reAuthHead.ReplaceAllString(s, "${1}${2}"+redacted)
	}
	if !mayHoldScheme(s) {
		return s
	}
	s = reBearer.ReplaceAllString(s, "${1}"+redacted)
	return reBasic.ReplaceAllStringFunc(s, func(m string) string {
		p := reBasic.FindStringSubmatch(m)
		text, err := base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(p[2], "=")))
		if err != nil || !strings.Contains(string(text), ":") {
			return m // a word after the word basic
		}
		return p[1] + redacted
	})
}

// mayHoldScheme tells whether the words bearer or basic may stand in s, in any case: most values hold neither, and a look
// for how they begin is quicker than two expressions. A long s, which begins with the byte 0xc5, is an s to these.
func mayHoldScheme(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i]|0x20 != 'b' {
			continue
		}
		if a, b := s[i+1]|0x20, s[i+2]|0x20; a == 'e' && b == 'a' || a == 'a' && (b == 's' || s[i+2] == 0xc5) {
			return true
		}
	}
	return false
}
