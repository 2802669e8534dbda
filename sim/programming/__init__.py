"""Write-verify programming of cells."""
