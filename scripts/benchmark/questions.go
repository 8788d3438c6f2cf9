package main

import "slices"

// question is one thing that everybody is asked. Its answer is in truth.answers, by id.
type question struct {
	id, name   string
	group      string  // of the row; "": answers
	floorTimes float64 // promised: at most so many times the empty handler
	overFloor  float64 // or at most so many ms more
}

// The questions, in the order of the table.
const (
	latest    = "latest"
	errorsOf  = "errors"
	userDay   = "userDay"
	rare      = "rare"
	hundred   = "hundred"
	word      = "word"
	inside    = "inside"
	common    = "common"
	noLetters = "noLetters"
	noHex     = "noHex"
	noGrams   = "noGrams"
	phrase    = "phrase"
	count     = "count"
	deep      = "deep"
	perDay    = "perDay"
	export    = "export"
)

// questions are those with a page or a number as an answer; the one for a needle that a hundred have only if there is
// such a needle. What is promised for rare text grows with the records.
func (b *bench) questions() []question {
	hit, none := 5.0, 1.0
	if b.n > 1_000_000 {
		hit, none = 10, 3
	}
	all := []question{
		{id: latest, name: "Q1 latest 20", floorTimes: 3},
		{id: errorsOf, name: "Q2 errors of two categories", floorTimes: 3},
		{id: userDay, name: "Q3 a user in a day, 20", floorTimes: 3},
		{id: rare, name: "Q4 rare 12-hex substring", overFloor: hit},
		{id: word, name: "Q4 the same as a whole word", overFloor: hit},
		{id: inside, name: "Q4 7 hex inside of it", overFloor: hit},
		{id: hundred, name: "Q4 12 hex that a hundred have", overFloor: hit},
		{id: phrase, name: "Q4 rare phrase of common parts"},
		{id: common, name: "Q5 common substring"},
		{id: noLetters, name: "Q6 no hit, letters", overFloor: none},
		{id: noHex, name: "Q6 no hit, 12 hex", overFloor: none},
		{id: noGrams, name: "Q6 no hit, of common parts", overFloor: none},
		{id: count, name: "Q7 count of category and user", floorTimes: 3},
		{id: deep, name: "Q8 20 at half of the records", floorTimes: 3},
		{id: perDay, name: "Q10 a user's month by day and action", floorTimes: 3},
	}
	if b.truth == nil || b.truth.hundred != "" {
		return all
	}
	return slices.DeleteFunc(all, func(q question) bool { return q.id == hundred })
}

// needles are the texts that are looked for. Which are rare depends on the records, so they are found there.
type needles struct {
	rare, inside, noHex string
	hundred             string // "": there is none
}

// needle is the text that the question looks for, in lower case; false: it looks for none.
func (n *needles) needle(id string) (string, bool) {
	needle, ok := map[string]string{rare: n.rare, word: n.rare, inside: n.inside, hundred: n.hundred, noHex: n.noHex, common: commonNeedle,
		noLetters: lettersNeedle, noGrams: gramsNeedle, phrase: phraseNeedle}[id]
	return needle, ok
}

const (
	commonNeedle  = "start"
	lettersNeedle = "qqzzxxyy"
	gramsNeedle   = "stop container disconnect"
	phraseNeedle  = "error for import minio" // in every segment somewhere are its parts, and together they are rare
	askedUser     = "user16"
	countedUser   = "admin"
	pageRows      = 20
)

const (
	exportName = "Q9 export of all"
	pruneName  = "Q11 retention of half"
)
