package dataset

// This file: what folders have beside the images that are labelled.

import "fmt"

// skipKind is a reason to skip a file or folder.
type skipKind int

const (
	folderBelow  skipKind = iota // FindOptions.Recursive is not set
	hiddenFolder                 // its name begins with a dot
	hiddenImage
	linkedFolder // a symbolic link to a folder: it may lead to where it is
	brokenLink
	earlierRun // its images are copies and masks
	unopened   // a file that may be an image or not
	skipKinds
)

// skipTexts say what was skipped: one, and several, of each kind.
var skipTexts = [skipKinds][2]string{
	folderBelow:  {"folder is not looked into", "folders are not looked into"},
	hiddenFolder: {"hidden folder is not looked into", "hidden folders are not looked into"},
	hiddenImage:  {"hidden image is skipped", "hidden images are skipped"},
	linkedFolder: {"link to a folder is not followed", "links to folders are not followed"},
	brokenLink:   {"link leads nowhere", "links lead nowhere"},
	earlierRun: {"folder that another run wrote is not looked into",
		"folders that another run wrote are not looked into"},
	unopened: {"file cannot be opened", "files cannot be opened"},
}

// Skipped counts what folders have that is not labelled and may be missed.
type Skipped [skipKinds]struct {
	n     int
	first string // path
}

func (s *Skipped) add(kind skipKind, path string) {
	if s[kind].n++; s[kind].n == 1 {
		s[kind].first = path
	}
}

// Sentences says what was skipped, a sentence for each reason, without a full stop. recursive is
// the caller's name of FindOptions.Recursive.
func (s *Skipped) Sentences(recursive string) (all []string) {
	for kind, x := range s {
		text := ""
		switch {
		case x.n == 1:
			text = fmt.Sprintf("1 %s: %s", skipTexts[kind][0], ShownPath(x.first))
		case x.n > 1:
			text = fmt.Sprintf("%d %s: %s and %d more", x.n, skipTexts[kind][1], ShownPath(x.first), x.n-1)
		default:
			continue
		}
		if skipKind(kind) == folderBelow && recursive != "" {
			text += " (" + recursive + ")"
		}
		all = append(all, text)
	}
	return all
}
