package httpd

import "strings"

// textTest judges a field of a record by its text; null is a field that the record lacks.
type textTest func(text string, null bool) bool

// negations are the modifiers that say the opposite of another. A null field matches each of them and none of
// the others.
var negations = map[string]string{"noteq": "eq", "notin": "in", "notcontains": "contains",
	"notstartswith": "startswith", "notendswith": "endswith"}

// modifierTest makes the test of one parameter. Only in and notin have more values than one. It returns nil for
// a modifier that does not exist, and an error for a value that the field cannot have.
func modifierTest(f *journalField, modifier string, values []string) (textTest, error) {
	if positive, ok := negations[modifier]; ok {
		test, err := modifierTest(f, positive, values)
		if test == nil || err != nil {
			return nil, err
		}
		return func(text string, null bool) bool { return !test(text, null) }, nil
	}
	v := values[0]
	switch modifier {
	case "contains", "startswith", "endswith":
		return affixTest(modifier, foldText(v)), nil
	case "eq", "in":
		return memberTest(f, values)
	case "gt", "gte", "lt", "lte":
		return orderTest(f, modifier, v)
	case "year", "month", "day":
		return partTest(f, modifier, v)
	}
	return nil, nil
}

func affixTest(modifier, folded string) textTest {
	find := map[string]func(s, part string) bool{"contains": strings.Contains, "startswith": strings.HasPrefix, "endswith": strings.HasSuffix}[modifier]
	return func(text string, null bool) bool { return !null && find(foldText(text), folded) }
}

func memberTest(f *journalField, values []string) (textTest, error) {
	set := make(map[string]struct{}, len(values))
	for _, v := range values {
		if f.value != nil {
			var err error
			if v, err = f.value(v); err != nil {
				return nil, err
			}
		}
		set[v] = struct{}{}
	}
	return func(text string, null bool) bool {
		_, is := set[text]
		return is && !null
	}, nil
}

func orderTest(f *journalField, modifier, v string) (textTest, error) {
	if f.value != nil {
		var err error
		if v, err = f.value(v); err != nil {
			return nil, err
		}
	}
	compare := f.compare
	if compare == nil {
		compare = strings.Compare
	}
	want := map[string]func(int) bool{
		"gt":  func(c int) bool { return c > 0 },
		"gte": func(c int) bool { return c >= 0 },
		"lt":  func(c int) bool { return c < 0 },
		"lte": func(c int) bool { return c <= 0 },
	}[modifier]
	return func(text string, null bool) bool { return !null && want(compare(text, v)) }, nil
}

// partTest compares the year, month or day of the one field that has them. It returns nil for other fields.
func partTest(f *journalField, modifier, v string) (textTest, error) {
	if f.name != "event_time" {
		return nil, nil
	}
	n, err := parseInteger(strings.TrimSpace(v))
	if err != nil {
		return nil, err
	}
	digits := map[string][2]int{"year": {0, 4}, "month": {5, 7}, "day": {8, 10}}[modifier]
	return func(text string, _ bool) bool {
		part, err := parseInteger(text[digits[0]:digits[1]])
		return err == nil && part == n
	}, nil
}
