package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

const accessKeysPath = "/settings/access-keys"

var accessKeysCrumbs = []views.Crumb{{Text: "Settings", Href: "/settings"}}

func (s *server) accessKeysPage(w http.ResponseWriter, r *http.Request) error {
	return s.showAccessKeys(w, r, views.AccessKeys{Fields: views.Fields{Values: map[string]string{"role": string(models.RoleOperate)}}})
}

// showAccessKeys shows the keys. A key that was just made is shown with its secret, this once.
func (s *server) showAccessKeys(w http.ResponseWriter, r *http.Request, props views.AccessKeys) error {
	keys, err := s.db.Keys.All(r.Context())
	if err != nil {
		return err
	}
	for _, k := range keys {
		row := views.AccessKey{ID: strconv.FormatUint(uint64(k.ID), 10), KeyID: k.KeyID, Role: string(k.Role), Description: k.Description, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt}
		if k.UsedAt != nil {
			row.UsedAt = *k.UsedAt
		}
		props.Rows = append(props.Rows, row)
	}
	props.Endpoint, props.Try = s.endpoint(r), s.aws(r).whoAmI()
	at := place{title: "Access keys", active: views.NavSettings, crumbs: accessKeysCrumbs, path: accessKeysPath, aws: s.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.AccessKeysPage(shell, props) }
	w.Header().Set("Cache-Control", "no-store")
	if len(props.Fields.Errors) > 0 {
		return s.again(w, r, at, draw)
	}
	return s.page(w, r, at, draw)
}

func (s *server) createAccessKey(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	key, err := s.db.Keys.Create(r.Context(), models.KeyRole(form.Get("role")), form.Get("description"), visitOf(r).user.Name)
	if err != nil {
		if err := wrong.refusal(err, []string{"role", "description"}); err != nil {
			return err
		}
		return s.showAccessKeys(w, r, views.AccessKeys{Fields: views.Fields{Values: firstValues(form, "role", "description"), Errors: wrong}})
	}
	// Not a redirect: the secret is shown now and can never be asked for again.
	return s.showAccessKeys(w, r, views.AccessKeys{NewKeyID: key.KeyID, NewSecret: key.Secret.Reveal(),
		Fields: views.Fields{Values: map[string]string{"role": string(models.RoleOperate)}}})
}

// accessKey finds the key that the address names.
func (s *server) accessKey(r *http.Request) (models.AccessKey, error) {
	gone := problem{status: http.StatusNotFound, text: "There is no such access key. It may have been revoked already.", back: accessKeysPath, backText: "To the access keys"}
	keys, err := s.db.Keys.All(r.Context())
	if err != nil {
		return models.AccessKey{}, err
	}
	for _, k := range keys {
		if strconv.FormatUint(uint64(k.ID), 10) == r.PathValue("id") {
			return k, nil
		}
	}
	return models.AccessKey{}, gone
}

func (s *server) revokeAccessKeyPage(w http.ResponseWriter, r *http.Request) error {
	key, err := s.accessKey(r)
	if err != nil {
		return err
	}
	return s.askRevokeAccessKey(w, r, key, url.Values{}, nil)
}

func (s *server) askRevokeAccessKey(w http.ResponseWriter, r *http.Request, key models.AccessKey, form url.Values, wrong mistakes) error {
	props := views.RevokeAccessKey{ID: strconv.FormatUint(uint64(key.ID), 10), KeyID: key.KeyID, Description: key.Description,
		Fields: views.Fields{Values: firstValues(form, "confirm"), Errors: wrong}}
	if key.UsedAt != nil {
		props.UsedAt = *key.UsedAt
	}
	at := place{title: "Revoke", active: views.NavSettings, crumbs: append(accessKeysCrumbs[:1:1], views.Crumb{Text: "Access keys", Href: accessKeysPath}), aws: s.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.RevokeAccessKeyPage(shell, props) }
	if len(wrong) > 0 {
		return s.again(w, r, at, draw)
	}
	return s.page(w, r, at, draw)
}

func (s *server) revokeAccessKey(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	key, err := s.accessKey(r)
	if err != nil {
		return err
	}
	if strings.TrimSpace(form.Get("confirm")) != key.KeyID {
		return s.askRevokeAccessKey(w, r, key, form, mistakes{"confirm": "Type the key's id " + key.KeyID + " to confirm that it is to be revoked."})
	}
	if _, err := s.db.Keys.Revoke(r.Context(), key.ID, visitOf(r).user.Name); err != nil {
		return err
	}
	return s.done(w, r, accessKeysPath, "success", "The access key "+key.KeyID+" was revoked. Requests signed with it are refused from now on.")
}

// endpoint is where programs reach the API: the address by which people reach the console.
func (s *server) endpoint(r *http.Request) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	scheme := "http"
	if s.secure || r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
