package digest_test

import (
	"errors"
	"strings"
	"testing"

	"rekindle/internal/digest"
)

// These are the hashes that xxh128sum and sha256sum print for "hello".
func TestDigestIsWhatCommonToolsPrint(t *testing.T) {
	t.Parallel()
	for _, want := range []digest.Digest{
		"xxh128:b5e9c1ad071b3e7fc779cfaa5e523818",
		"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	} {
		h, err := want.New()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = h.Write([]byte("hel"))
		_, _ = h.Write([]byte("lo"))
		if got := h.Digest(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if h := digest.New(); h.Digest().Hex(digest.XXH128) == "" || h.Digest().Hex(digest.SHA256) != "" {
		t.Errorf("a new digest is %s", h.Digest())
	}
}

func TestWhatIsNoDigestIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []digest.Digest{"", "xxh128", "xxh128:", "b5e9c1ad071b3e7fc779cfaa5e523818", "md5:b5e9c1ad071b3e7fc779cfaa5e523818",
		"xxh128:b5e9c1ad071b3e7fc779cfaa5e52381", "xxh128:B5E9C1AD071B3E7FC779CFAA5E523818", "sha256:b5e9c1ad071b3e7fc779cfaa5e523818",
		digest.Digest("xxh128:" + strings.Repeat("zz", 16))} {
		if err := text.Check(); !errors.Is(err, digest.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", text, err)
		}
	}
	if digest.Of(digest.SHA256, "") != "" || digest.Of(digest.SHA256, "ab") != "sha256:ab" {
		t.Error("Of makes another digest")
	}
}
