"""What a price or a promotion does to sales: association, its doubts, and the plan that would make it cause."""
