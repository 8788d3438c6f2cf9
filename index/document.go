package index

import (
	"strconv"

	api "github.com/blevesearch/bleve_index_api"
)

// The fields of a Bleve document, which is one block of records. Its id is the number of the block. Terms are
// whatever bytes they are: no text is analysed, here or in a query.
const (
	fieldID       = "_id" // what Bleve calls it
	fieldGrams    = "t"   // trigrams of the messages, but for stop grams and the inside of long runs
	fieldCategory = "c"   // folded
	fieldUser     = "u"
)

// docFields makes documents of blocks. Bleve asks for the terms of a field as a map, twice, and is done with those of
// one document before it asks for those of the next: so there is one map for each field, filled when it is asked
// for, and what is kept of all documents meanwhile is little.
type docFields struct{ id, grams, category, user docField }

// docField is one of the fields.
type docField struct {
	name    string
	options api.FieldIndexingOptions
	freq    *api.TokenFreq // of every term: nobody asks for it
	terms   api.TokenFrequencies
}

func newDocFields() *docFields {
	field := func(name string, options api.FieldIndexingOptions, freq int) docField {
		f := docField{name, options, new(api.TokenFreq), make(api.TokenFrequencies)}
		f.freq.SetFrequency(freq)
		return f
	}
	const terms = api.IndexField | api.SkipFreqNorm
	return &docFields{
		id:       field(fieldID, api.IndexField|api.StoreField, 1),
		grams:    field(fieldGrams, terms, 0),
		category: field(fieldCategory, terms, 0),
		user:     field(fieldUser, terms, 0),
	}
}

// document is the document of block i.
func (f *docFields) document(i int, b *blockTerms, c *columns) *document {
	grams := make([]byte, 0, 3*len(b.grams))
	for _, g := range b.grams {
		grams = append(grams, byte(g>>16), byte(g>>8), byte(g))
	}
	d := &document{id: strconv.Itoa(i)}
	id, text := docValue{&f.id, []string{d.id}}, docValue{&f.grams, make([]string, len(b.grams))}
	cats, users := docValue{&f.category, make([]string, len(b.cats))}, docValue{&f.user, make([]string, len(b.users))}
	for i := range text.terms {
		text.terms[i] = asString(grams[3*i : 3*i+3])
	}
	for i, code := range b.cats {
		cats.terms[i] = string(AppendFold(nil, c.category.dict.at(code)))
	}
	for i, code := range b.users {
		users.terms[i] = string(c.user.dict.at(code))
	}
	d.fields = [...]docValue{id, text, cats, users}
	return d
}

// document is one block for Bleve.
type document struct {
	id     string
	fields [4]docValue
}

// VisitFields calls visit with every field.
func (d *document) VisitFields(visit api.FieldVisitor) {
	for i := range d.fields {
		visit(&d.fields[i])
	}
}

// ID and what follows is what else Bleve asks of a document: there is no more to this one.
func (d *document) ID() string                               { return d.id }
func (d *document) Size() int                                { return 0 }
func (d *document) VisitComposite(api.CompositeFieldVisitor) {}
func (d *document) HasComposite() bool                       { return false }
func (d *document) NumPlainTextBytes() uint64                { return 0 }
func (d *document) AddIDField()                              {} // it is there
func (d *document) StoredFieldsBytes() uint64                { return uint64(len(d.id)) }
func (d *document) Indexed() bool                            { return true }

// docValue is one field of one document.
type docValue struct {
	field *docField
	terms []string
}

// AnalyzedTokenFrequencies is the terms, until it is called for the same field of another document.
func (v *docValue) AnalyzedTokenFrequencies() api.TokenFrequencies {
	clear(v.field.terms)
	for _, term := range v.terms {
		v.field.terms[term] = v.field.freq
	}
	return v.field.terms
}

// Name and what follows is what else Bleve asks of a field. Its value is asked for of what is stored: the id.
func (v *docValue) Name() string                      { return v.field.name }
func (v *docValue) Value() []byte                     { return []byte(v.terms[0]) }
func (v *docValue) ArrayPositions() []uint64          { return nil }
func (v *docValue) EncodedFieldType() byte            { return 't' }
func (v *docValue) Analyze()                          {}
func (v *docValue) Options() api.FieldIndexingOptions { return v.field.options }
func (v *docValue) AnalyzedLength() int               { return len(v.terms) }
func (v *docValue) NumPlainTextBytes() uint64         { return 0 }
