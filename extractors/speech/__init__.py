"""What was said: stretches of speech, the words that a recogniser hears in them, and who says them."""
