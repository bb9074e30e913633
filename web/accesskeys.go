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

type accessKeyPages struct{ *site }

func (h accessKeyPages) list(w http.ResponseWriter, r *http.Request) error {
	props := views.AccessKeys{Fields: views.Fields{Values: map[string]string{"role": string(models.RoleOperate)}}}
	if id := h.mayShow(w, r, accessKeysPath); id != "" { // it was just made
		key, found, err := h.db.Keys.Find(r.Context(), id)
		if err != nil {
			return err
		}
		if found {
			props.NewKeyID, props.NewSecret = key.KeyID, key.Secret.Reveal()
			showsSecret(w)
		}
	}
	return h.show(w, r, props)
}

func (h accessKeyPages) show(w http.ResponseWriter, r *http.Request, props views.AccessKeys) error {
	keys, err := h.db.Keys.All(r.Context())
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
	props.Endpoint, props.Try = h.endpoint(r), h.aws(r).whoAmI()
	at := place{title: "Access keys", active: views.NavSettings, crumbs: settingsCrumbs, path: accessKeysPath, aws: h.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.AccessKeysPage(shell, props) }
	w.Header().Set("Cache-Control", "no-store")
	return h.ask(w, r, at, props.Fields.Errors, draw)
}

func (h accessKeyPages) create(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	key, err := h.db.Keys.Create(r.Context(), models.KeyRole(form.Get("role")), form.Get("description"), visitOf(r).user.Name)
	if err != nil {
		if err := wrong.refusal(err, []string{"role", "description"}); err != nil {
			return err
		}
		return h.show(w, r, views.AccessKeys{Fields: views.Fields{Values: firstValues(form, "role", "description"), Errors: wrong}})
	}
	return h.showOnce(w, r, accessKeysPath, key.KeyID, accessKeysPath)
}

// find returns the key in the address.
func (h accessKeyPages) find(r *http.Request) (models.AccessKey, error) {
	gone := problem{status: http.StatusNotFound, text: "There is no such access key. It may have been revoked already.", back: accessKeysPath, backText: "To the access keys"}
	keys, err := h.db.Keys.All(r.Context())
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

func (h accessKeyPages) revokePage(w http.ResponseWriter, r *http.Request) error {
	key, err := h.find(r)
	if err != nil {
		return err
	}
	return h.askRevoke(w, r, key, url.Values{}, nil)
}

func (h accessKeyPages) askRevoke(w http.ResponseWriter, r *http.Request, key models.AccessKey, form url.Values, wrong mistakes) error {
	props := views.RevokeAccessKey{ID: strconv.FormatUint(uint64(key.ID), 10), KeyID: key.KeyID, Description: key.Description,
		Fields: views.Fields{Values: firstValues(form, "confirm"), Errors: wrong}}
	if key.UsedAt != nil {
		props.UsedAt = *key.UsedAt
	}
	at := place{title: "Revoke", active: views.NavSettings, crumbs: append(settingsCrumbs[:1:1], views.Crumb{Text: "Access keys", Href: accessKeysPath}), aws: h.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.RevokeAccessKeyPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

func (h accessKeyPages) revoke(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	key, err := h.find(r)
	if err != nil {
		return err
	}
	if strings.TrimSpace(form.Get("confirm")) != key.KeyID {
		return h.askRevoke(w, r, key, form, mistakes{"confirm": "Type the key's id " + key.KeyID + " to confirm that it is to be revoked."})
	}
	if _, err := h.db.Keys.Revoke(r.Context(), key.ID, visitOf(r).user.Name); err != nil {
		return err
	}
	return h.done(w, r, accessKeysPath, "success", "The access key "+key.KeyID+" was revoked. Requests signed with it are refused from now on.")
}
