package seal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func testFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "v1", "log", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzParseLine: no line makes the parser panic, and one that it takes is written again as it was read.
func FuzzParseLine(f *testing.F) {
	secret, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "shiplog/fuzz")
	if err != nil {
		f.Fatal(err)
	}
	key, err := parseKey(0, secret)
	if err != nil {
		f.Fatal(err)
	}
	for line := range bytes.Lines(testFile(f, SealsName)) {
		f.Add(bytes.TrimSuffix(line, newline))
	}
	f.Add([]byte(`{"v":1,"sig":"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, sig, err := parseLine(b)
		if err != nil {
			return
		}
		if sig == nil || l.check() != nil {
			t.Fatalf("parseLine(%q) = %+v, %v", b, l, sig)
		}
		out, err := l.sign(key.signer)
		if err != nil {
			return // a time that JSON does not have
		}
		again, sig, err := parseLine(out)
		if err != nil || !sig.by(verifierOf(t, key.public)) || again.N != l.N || again.SHA256 != l.SHA256 {
			t.Fatalf("parseLine(%q) = %+v, %v", out, again, err)
		}
	})
}

func verifierOf(t testing.TB, public string) note.Verifier {
	t.Helper()
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// FuzzParseCheckpoint: what it takes is the same text when it is written again, or has lines nobody knows.
func FuzzParseCheckpoint(f *testing.F) {
	f.Add(testFile(f, CheckpointName))
	f.Add([]byte("a\n1\n" + "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCheckpoint(b)
		if err != nil {
			return
		}
		if c.Size < 0 || c.Origin == "" || c.Tail != nil && !c.Tail.valid() || c.RootPrefix() >= 1<<48 {
			t.Fatalf("ParseCheckpoint(%q) = %+v", b, c)
		}
		if again, err := ParseCheckpoint([]byte(c.body() + "\n")); err != nil || again.Root != c.Root || again.Size != c.Size {
			t.Fatalf("ParseCheckpoint(%q) = %+v, %v", c.body(), again, err)
		}
	})
}

// FuzzParseAt: any text is taken or refused.
func FuzzParseAt(f *testing.F) {
	f.Add("3:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	f.Add(string(testFile(f, CheckpointName)))
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseAt(text); err == nil && c.Size < 0 {
			t.Fatalf("ParseAt(%q) = %+v", text, c)
		}
	})
}

// FuzzReadChain: any file is read to its end or refused.
func FuzzReadChain(f *testing.F) {
	f.Add(testFile(f, SealsName))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := &chain{prev: zeroHash}
		if err := c.readFrom(bytes.NewReader(b)); err != nil {
			return
		}
		if int64(len(b)) != c.good+c.torn || c.size != int64(len(c.lines)) {
			t.Fatalf("readFrom(%q) = %d lines of %d, %d and %d bytes", b, len(c.lines), c.size, c.good, c.torn)
		}
		if c.size > 0 {
			if _, err := c.root(c.size); err != nil {
				t.Fatal(err)
			}
		}
	})
}
