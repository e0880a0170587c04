"""The demo: a sample company on emulators, the journey, and a check from outside."""
