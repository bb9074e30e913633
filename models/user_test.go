package models

import (
	"rekindle/internal/secret"
)

const rightPassword = secret.Text("correct-horse-battery")
