package main

import "strings"

// paragraphs sets a text as it stands in --help: blank lines part paragraphs, and a paragraph with indented lines, a
// table or a command, keeps its lines.
func paragraphs(s string) string {
	var b strings.Builder
	for i, p := range strings.Split(strings.Trim(s, "\n"), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			b.WriteString(".nf\n" + text(p) + "\n.fi\n")
			continue
		}
		b.WriteString(text(p) + "\n")
	}
	return b.String()
}

// text is lines of running text.
func text(s string) string {
	lines := strings.Split(escape(s), "\n")
	for i, line := range lines {
		lines[i] = protect(line)
	}
	return strings.Join(lines, "\n")
}

// protect keeps roff from reading a line that begins with a dot or a quote as a request.
func protect(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}

// escape gives characters that mean something to roff as themselves: a hyphen is one that can be copied into a shell.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "'", `\(aq`).Replace(s)
}

// quote makes one argument of a request.
func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// lowerFirst is a heading without its capital, as NAME sections have it; a word that is all capitals keeps them.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
