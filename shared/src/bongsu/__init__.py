"""What every Bongsu service shares."""
