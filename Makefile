# Aliases; everything else is ./streaks VERB.
.PHONY: demo test

demo:
	./streaks demo

test:
	./streaks test
