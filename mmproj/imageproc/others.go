package imageproc

// This file: the images and videos that Decode does not read, and what is mistaken for them, so that
// errors can say what a file is. internal/filekind knows files of other kinds.

import "strings"

// otherFormat is a format that Decode does not read.
type otherFormat struct {
	name   string
	kind   fileKind
	what   string   // the name with an article, in a sentence
	advice string   // what to do
	magics []string // first bytes, as for hasMagic
	texts  []string // first letters, in lower case, after blanks; without any of these sniffOther knows it
}

// fileKind says what a file holds.
type fileKind int

const (
	noImage fileKind = iota
	stillImage
	video
)

// Advice that several formats share.
const (
	convertIt = "convert it to JPEG or PNG"
	adviceRaw = "convert it to JPEG or PNG, or take the JPEG that the camera stored beside it"
)

// otherFormats lists them. Where one magic begins as another, the longer one comes first.
var otherFormats = []otherFormat{
	{name: "HEIC", kind: stillImage, what: "a HEIC photo", advice: "convert it to JPEG or PNG (an iPhone takes JPEG " +
		"after Settings > Camera > Formats > Most Compatible, and sends JPEG by mail)"},
	{name: "AVIF", kind: stillImage, what: "an AVIF image", advice: convertIt},
	{name: "camera raw", kind: stillImage, what: "a camera's raw photo", advice: adviceRaw,
		magics: []string{"II*\x00????CR", "IIRO", "IIRS", "MMOR", "IIU\x00", "FUJIFILMCCD-RAW", "FOVb"}},
	{name: "TIFF", kind: stillImage, what: "a TIFF file",
		advice: "convert it to JPEG or PNG (if it is a camera's raw " +
			"photo, take the JPEG that the camera stored beside it)",
		magics: []string{"II*\x00", "MM\x00*", "II+\x00", "MM\x00+"}},
	{name: "JPEG XR", kind: stillImage, what: "a JPEG XR image", advice: convertIt, magics: []string{"II\xbc\x01"}},
	{name: "JPEG XL", kind: stillImage, what: "a JPEG XL image", advice: convertIt,
		magics: []string{"\xff\x0a", "\x00\x00\x00\x0cJXL \r\n\x87\n"}},
	{name: "JPEG 2000", kind: stillImage, what: "a JPEG 2000 image", advice: convertIt,
		magics: []string{"\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"}},
	{name: "SVG", kind: stillImage, what: "an SVG drawing", advice: "save it as PNG"},
	{name: "TGA", kind: stillImage, what: "a TGA image", advice: convertIt,
		magics: []string{"\x00\x00\x02" + strings.Repeat("\x00", 9), "\x00\x00\x0a" + strings.Repeat("\x00", 9)}},
	{name: "ICO", kind: stillImage, what: "an ICO file", advice: convertIt,
		magics: []string{"\x00\x00\x01\x00?\x00", "\x00\x00\x02\x00?\x00"}},
	{name: "ICNS", kind: stillImage, what: "an ICNS file", advice: convertIt, magics: []string{"icns"}},
	{name: "PSD", kind: stillImage, what: "a Photoshop file", advice: "save it as JPEG or PNG",
		magics: []string{"8BPS"}},
	{name: "XCF", kind: stillImage, what: "a GIMP file", advice: "export it as JPEG or PNG",
		magics: []string{"gimp xcf"}},
	{name: "OpenEXR", kind: stillImage, what: "an OpenEXR image", advice: convertIt,
		magics: []string{"\x76\x2f\x31\x01"}},
	{name: "HDR", kind: stillImage, what: "a Radiance HDR image", advice: convertIt,
		magics: []string{"#?RADIANCE", "#?RGBE"}},
	{name: "QOI", kind: stillImage, what: "a QOI image", advice: convertIt, magics: []string{"qoif"}},
	{name: "DDS", kind: stillImage, what: "a DDS texture", advice: convertIt, magics: []string{"DDS \x7c"}},
	{name: "KTX", kind: stillImage, what: "a KTX texture", advice: convertIt, magics: []string{"\xabKTX "}},
	{name: "FLIF", kind: stillImage, what: "a FLIF image", advice: convertIt, magics: []string{"FLIF"}},
	{name: "BPG", kind: stillImage, what: "a BPG image", advice: convertIt, magics: []string{"BPG\xfb"}},
	{name: "FITS", kind: stillImage, what: "a FITS image", advice: convertIt, magics: []string{"SIMPLE  ="}},
	{name: "DjVu", kind: stillImage, what: "a DjVu document", advice: "save its pages as JPEG or PNG",
		magics: []string{"AT&TFORM"}},
	{name: "Netpbm", kind: stillImage, what: "a Netpbm image (PPM, PGM, PBM, PAM)", advice: convertIt,
		magics: netpbmMagics()},
	{name: "PCX", kind: stillImage, what: "a PCX image", advice: convertIt,
		magics: []string{"\n\x05\x01\x01", "\n\x05\x01\x08"}},
	{name: "WMF", kind: stillImage, what: "a Windows metafile", advice: convertIt, magics: []string{"\xd7\xcd\xc6\x9a",
		"\x01\x00\x00\x00" + strings.Repeat("?", 36) + " EMF"}},
	{name: "DICOM", kind: stillImage, what: "a DICOM file", advice: convertIt, magics: []string{dicomMagic}},
	{name: "PostScript", what: "a PostScript file", advice: "save its pages as JPEG or PNG",
		magics: []string{"%!PS", "\xc5\xd0\xd3\xc6"}},

	{name: "damaged image", kind: stillImage, what: "an image whose bytes were changed, as when it is copied as text",
		advice: "copy it again, as a binary file", magics: []string{"\x89PNG\n\x1a\n", "\x89PNG\r\r\n", "\x09PNG",
			"\xef\xbf\xbdPNG", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xc3\xbf\xc3\x98\xc3\xbf",
			"\xc2\x89PNG"}},
	{name: "base64", what: "an image as base64 text", advice: "decode it first (base64 -d)",
		magics: []string{"/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR"}, texts: []string{"data:image/"}},

	{name: "MP4", kind: video, what: "a video", advice: adviceVideo,
		magics: []string{"????moov", "????mdat", "????wide"}},
	{name: "Matroska", kind: video, what: "a video", advice: adviceVideo, magics: []string{"\x1a\x45\xdf\xa3"}},
	{name: "AVI", kind: video, what: "a video", advice: adviceVideo, magics: []string{"RIFF????AVI "}},
	{name: "MPEG", kind: video, what: "a video", advice: adviceVideo,
		magics: []string{"\x00\x00\x01\xba", "\x00\x00\x01\xb3"}},
	{name: "FLV", kind: video, what: "a video", advice: adviceVideo, magics: []string{"FLV\x01"}},
	{name: "Ogg", kind: video, what: "a video or sound", advice: adviceVideo, magics: []string{"OggS"}},
	{name: "ASF", kind: video, what: "a video or sound", advice: adviceVideo,
		magics: []string{"\x30\x26\xb2\x75\x8e\x66\xcf\x11"}},
	{name: "sound", what: "a sound file", magics: []string{"RIFF????WAVE", "fLaC", "ID3", "#!AMR", "FORM????AIFF"}},

	{name: "internet shortcut", what: "a shortcut to another file", advice: "give that file",
		magics: []string{"L\x00\x00\x00\x01\x14\x02\x00"}, texts: []string{"[internetshortcut]", "[desktop entry]"}},
	{name: "macOS metadata", what: "macOS's notes about a file, not the file itself",
		advice: "give the file whose name does not begin with ._", magics: []string{"\x00\x05\x16\x07"}},
	{name: "property list", what: "a property list", advice: "if it stands for a photo in iCloud, download the photo",
		magics: []string{"bplist00"}},
}

// adviceVideo is what can be done with a video where an image is wanted.
const adviceVideo = "take an image of it"

// brandsOf tells images in MP4's container from videos, by their brands, the surest first.
var brandsOf = []struct{ format, brands string }{
	{"AVIF", "avif avis avio"},
	{"HEIC", "heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 miaf"},
	{"JPEG 2000", "jp2 jpx jpm"},
	{"JPEG XL", "jxl"},
	{"camera raw", "crx"},
	{"sound", "M4A M4B F4A"},
}

// dicomMagic is DICOM's mark, after 128 bytes of anything.
var dicomMagic = strings.Repeat("?", 128) + "DICM"

// netpbmMagics returns the first bytes of Netpbm's formats: P1 to P7 and the end of the line.
func netpbmMagics() (all []string) {
	for _, n := range "1234567" {
		all = append(all, "P"+string(n)+"\n")
	}
	return all
}

// otherNamed returns the format called name, or one without a name.
func otherNamed(name string) otherFormat {
	for _, o := range otherFormats {
		if o.name == name {
			return o
		}
	}
	return otherFormat{}
}
