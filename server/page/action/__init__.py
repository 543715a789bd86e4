"""What the page may do where `hansa-server up --page-actions` lets it: invite, launch, revoke."""
