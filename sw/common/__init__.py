"""What every part of the software uses: errors, files, findings, labels."""
