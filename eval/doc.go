// Package eval scores answers: texts, boxes, masks, and how far a model's distributions are from
// another's.
//
// Before it: questions with their true answers (question.go), and a model to ask (package runner).
// After it: a record for each question (record.go), kept in a journal so that a stopped run can be
// resumed (journal.go), and the means over all questions (summary.go).
//
//	ask.go         the loop over the questions
//	text.go        equal to a true answer; ANLS; relaxed accuracy
//	vqa.go         VQA accuracy
//	detection.go   F1 and IoU of boxes
//	precision.go   mean average precision
//	divergence.go  Kullback-Leibler divergence
//
// The definitions are those of big_vision's evaluators (evaluators/proj/paligemma/transfers, commit
// 5f95305c) where it has one, those of scripts/demo/evaluate.py for detections and segmentations,
// and COCO's for the average precision. All scores are from 0 to 1.
package eval
