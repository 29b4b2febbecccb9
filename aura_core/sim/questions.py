def words(): return {"x%d"%i for i in range(100)}
