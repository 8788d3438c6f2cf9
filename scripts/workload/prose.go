package main

import (
	"math/rand"
	"strings"
)

// vocabulary is the words of a language that nobody speaks. As in a living one few are said most of the time
// (Zipf), and which word comes next depends on the last one (a Markov chain).
type vocabulary struct {
	words []string
	rank  *rand.Zipf
	glue  string // between words
}

// follow is how many words may come after one word.
const follow = 200

// text is so many bytes of it or up to a character less.
func (v *vocabulary) text(r *rand.Rand, bytes int) string {
	var b strings.Builder
	word, left := r.Intn(len(v.words)), 5+r.Intn(20)
	for b.Len() < bytes {
		b.WriteString(v.words[word])
		if left--; left == 0 {
			b.WriteString(".")
			left = 5 + r.Intn(20)
		}
		b.WriteString(v.glue)
		// A step of the chain: the n-th follower of a word is always the same one.
		n := v.rank.Uint64() % follow
		word = int((uint64(word)*2654435761 + n*n*40503 + n) % uint64(len(v.words)))
		if r.Intn(4) == 0 {
			word = int(v.rank.Uint64())
		}
	}
	return b.String()[:bytes]
}

var onsets = strings.Fields("b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sl sm sn sp st str t th tr v w wh y z")
var vowels = strings.Fields("a e i o u ai ea ee ie oa oo ou")
var codas = strings.Fields("b ck d ft g l ll lt m mp n nd ng nt p r rd rk rm rn rt s sh sk ss st t th x")

// latin is n words of made-up English.
func latin(r *rand.Rand, n int) vocabulary {
	v := vocabulary{words: make([]string, n), rank: rand.NewZipf(r, 1.1, 8, uint64(n-1)), glue: " "}
	for i := range v.words {
		var b strings.Builder
		for range 1 + r.Intn(3) {
			b.WriteString(onsets[r.Intn(len(onsets))] + vowels[r.Intn(len(vowels))])
			if r.Intn(2) == 0 {
				b.WriteString(codas[r.Intn(len(codas))])
			}
		}
		v.words[i] = b.String()
	}
	return v
}

// manyScripts is n words of one to six letters, each word out of one of several scripts.
func manyScripts(r *rand.Rand, n int) vocabulary {
	scripts := []struct {
		from, to rune
		longest  int
	}{
		{0x4e00, 0x9fa5, 3},   // Chinese
		{0x3041, 0x3096, 5},   // hiragana
		{0xac00, 0xd7a3, 4},   // hangul
		{0x0410, 0x044f, 6},   // Cyrillic, both cases
		{0x00c0, 0x017e, 6},   // Latin with accents, both cases
		{0x0391, 0x03c9, 6},   // Greek, both cases
		{0x1f300, 0x1f64f, 1}, // emoji
	}
	v := vocabulary{words: make([]string, n), rank: rand.NewZipf(r, 1.1, 8, uint64(n-1)), glue: " "}
	for i := range v.words {
		s := scripts[r.Intn(len(scripts))]
		word := make([]rune, 1+r.Intn(s.longest))
		for k := range word {
			word[k] = s.from + rune(r.Intn(int(s.to-s.from)+1))
		}
		v.words[i] = string(word)
	}
	return v
}
