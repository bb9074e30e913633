package launch

import "testing"

func TestWithoutKeyNothingOfItsNameIsLeft(t *testing.T) {
	t.Parallel()
	for sentence, want := range map[string]string{
		"The data has the key “a” twice, in database 0.":                                       "The data has a key twice, in database 0.",
		"The data has the key “” twice, in database 12.":                                       "The data has a key twice, in database 12.",
		"The data has the key “a” twice, in database 1.” twice, in database 0.":                "The data has a key twice, in database 0.",
		"The data has the key “two\nlines” twice, in database 0.":                              "The data has a key twice, in database 0.",
		"The data has the key “session:0123456…":                                               "The data has a key twice.",
		"The data uses more than 16 databases.":                                                "The data uses more than 16 databases.",
		"A function library in the data cannot be loaded: The data has the key “a” twice, in.": "A function library in the data cannot be loaded: The data has the key “a” twice, in.",
	} {
		if got := WithoutKey(sentence); got != want {
			t.Errorf("%q becomes %q, want %q", sentence, got, want)
		}
	}
}
